//! Random changes of samples that do not change what they show.

use super::{Fault, Image, Label, Purpose, Random, Sample, resize};

/// Which changes are made; the default makes none.
///
/// In this order: mirror, zoom, shift and crop, contrast and brightness,
/// cutout. The label follows. What is drawn is a function of (seed, epoch,
/// index) only, and a change that is off draws nothing.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Augment {
    /// Mirrors left and right, in half of all cases.
    pub flip: bool,
    /// Mirrors top and bottom, in half of all cases.
    pub flip_vertical: bool,
    /// Scale in percent, from and to; what then lies outside is lost.
    pub zoom: Option<(u32, u32)>,
    /// Pixels by which the image is shifted at most, up, down, left and right.
    pub shift: usize,
    /// Height and width of a window at a random place; else the size stays.
    pub crop: Option<(usize, usize)>,
    /// What is added to all values at most, up or down.
    pub brightness: u8,
    /// Percent by which distances from the middle value (128) grow or shrink at most.
    pub contrast: u8,
    /// Side of a square at a random place that is filled; 0 for none.
    pub cutout: usize,
    /// What is filled in outside the image and in the square.
    pub fill: u8,
}

impl Augment {
    /// Mirror and shift by 4, as usual for images of 32 x 32.
    pub fn small_images() -> Self {
        Self {
            flip: true,
            shift: 4,
            fill: 128,
            ..Self::default()
        }
    }

    /// Mirror, zoom by a fifth, shift by a twelfth of the shorter side, a little
    /// contrast and brightness: for images of `height` x `width` with boxes.
    pub fn scenes(height: usize, width: usize) -> Self {
        Self {
            flip: true,
            zoom: Some((80, 120)),
            shift: height.min(width) / 12,
            brightness: 16,
            contrast: 20,
            fill: 128,
            ..Self::default()
        }
    }

    /// The sample as it is seen in an epoch.
    ///
    /// # Errors
    /// A crop or a zoom that makes an image without pixels, or too large a one.
    pub fn apply<L: Label>(
        &self,
        sample: &Sample<L>,
        seed: u64,
        epoch: u64,
        index: u64,
    ) -> Result<Sample<L>, Fault> {
        let mut random = Random::new(seed, Purpose::Augment, epoch, index);
        let Sample {
            mut image,
            mut label,
        } = sample.clone();
        let (h, w) = (image.height(), image.width());
        if self.flip && random.chance(1, 2) {
            image.flip_horizontal();
            label.flip(true, w as f32, h as f32);
        }
        if self.flip_vertical && random.chance(1, 2) {
            image.flip_vertical();
            label.flip(false, w as f32, h as f32);
        }
        if self.zoom.is_some() || self.shift > 0 || self.crop.is_some() {
            image = self.place(image, &mut label, &mut random)?;
        }
        self.values(&mut image, &mut random);
        self.cut(&mut image, &mut random);
        Ok(Sample { image, label })
    }

    /// Zoom, and a window of the result.
    fn place<L: Label>(
        &self,
        mut image: Image,
        label: &mut L,
        random: &mut Random,
    ) -> Result<Image, Fault> {
        let (h, w) = (image.height(), image.width());
        if let Some((low, high)) = self.zoom {
            let to = |v: u32| i32::try_from(v).unwrap_or(i32::MAX);
            let percent = random.between(to(low), to(high)).max(0) as usize;
            let scaled = |n: usize| (n.saturating_mul(percent).saturating_add(50) / 100).max(1);
            image = resize(&image, scaled(h), scaled(w))?;
        }
        let (height, width) = self.crop.unwrap_or((h, w));
        let top = self.offset(image.height(), height, random);
        let left = self.offset(image.width(), width, random);
        let ratio = |to: usize, from: usize| to as f32 / from as f32;
        label.moved(
            [ratio(image.width(), w), ratio(image.height(), h)],
            [-(left as f32), -(top as f32)],
            [width as f32, height as f32],
        );
        image.window(top.into(), left.into(), height, width, self.fill)
    }

    /// Where a window of `want` starts on an axis of `have`: within it as far
    /// as it can be, and up to the shift beyond.
    fn offset(&self, have: usize, want: usize, random: &mut Random) -> i32 {
        let of = |n: usize| i64::try_from(n).unwrap_or(i64::MAX / 4);
        let (room, shift) = (of(have) - of(want), of(self.shift).min(1 << 30));
        let clamp = |v: i64| v.clamp(i32::MIN.into(), i32::MAX.into()) as i32;
        random.between(clamp(room.min(0) - shift), clamp(room.max(0) + shift))
    }

    /// Contrast, then brightness.
    fn values(&self, image: &mut Image, random: &mut Random) {
        let (mut percent, mut add) = (100, 0);
        if self.contrast > 0 {
            let c = i32::from(self.contrast);
            percent = random.between((100 - c).max(0), 100 + c);
        }
        if self.brightness > 0 {
            add = random.between(-i32::from(self.brightness), self.brightness.into());
        }
        if (percent, add) == (100, 0) {
            return;
        }
        let change = |v: i32| {
            let away = (2 * (v - 128) * percent + 100).div_euclid(200);
            (away + 128 + add).clamp(0, 255) as u8
        };
        let table: Vec<u8> = (0..256).map(change).collect();
        for v in image.data_mut() {
            *v = table[usize::from(*v)];
        }
    }

    /// A square that is filled; its middle is in the image.
    fn cut(&self, image: &mut Image, random: &mut Random) {
        if self.cutout == 0 {
            return;
        }
        let [channels, h, w] = image.dims();
        let mut range = |n: usize| {
            let middle = random.below(u32::try_from(n).unwrap_or(u32::MAX)) as usize;
            let begin = middle.saturating_sub(self.cutout / 2);
            let end = (middle + self.cutout.div_ceil(2)).min(n);
            begin..end
        };
        let (rows, columns) = (range(h), range(w));
        for c in 0..channels {
            let plane = image.plane_mut(c);
            for y in rows.clone() {
                plane[y * w..(y + 1) * w][columns.clone()].fill(self.fill);
            }
        }
    }
}
