//! `vta pareto --data` where training is built in.

use super::ParetoArgs;
use crate::cli::prune::{BOXES_RATE, CLASSES_RATE};
use crate::cli::{CliError, Output};
use std::path::PathBuf;
use vta::data::{Augment, Boxes, Dataset, Label};
use vta::evaluate::some;
use vta::metric::{Accuracy, MeanAp, Metric};
use vta::pareto::{Measurement, Pareto, Training};
use vta::pruning::calibration;
use vta::pruning_aware::{DistillationLoss, DistillationWeights};
use vta::rows::RowStore;
use vta::train::{Classify, Detect, Rule, Settings, Task};
use vta::{Model, training};

/// How steps are made where nobody says otherwise.
struct Usual {
    rule: Rule,
    rate: f64,
    augment: Augment,
    distillation: DistillationWeights,
}

impl ParetoArgs {
    pub(super) fn classes(
        &self,
        model: Model,
        set: &Dataset<u16>,
        store: &mut RowStore,
    ) -> Result<Output, CliError> {
        let n = set.classes.len();
        let metric = Accuracy::new(model.graph(), n)?;
        let task = Classify::new(model.graph(), n, 0.0)?;
        let usual = Usual {
            rule: Rule::sgd(),
            rate: CLASSES_RATE,
            augment: Augment::small_images(),
            distillation: DistillationWeights::of_classes(self.training.epochs),
        };
        self.measured(model, (set, &metric, task), usual, "", store)
    }

    pub(super) fn boxes(
        &self,
        model: Model,
        set: &Dataset<Boxes>,
        store: &mut RowStore,
    ) -> Result<Output, CliError> {
        let detector = training::detector(&self.model, model.graph(), set)?;
        let text = detector.to_json();
        let [h, w] = detector.image();
        let metric = MeanAp::new(detector.clone(), &set.classes)?;
        let usual = Usual {
            rule: Rule::adamw(),
            rate: BOXES_RATE,
            augment: Augment::scenes(h, w),
            distillation: DistillationWeights::default(),
        };
        self.measured(
            model,
            (set, &metric, Detect::new(detector)),
            usual,
            &text,
            store,
        )
    }

    fn measured<L: Label, M: Metric<L>, T: Task<L> + DistillationLoss<L> + Clone>(
        &self,
        model: Model,
        (set, metric, task): (&Dataset<L>, &M, T),
        usual: Usual,
        more: &str,
        store: &mut RowStore,
    ) -> Result<Output, CliError> {
        let args = &self.training;
        let test = some(&set.test, self.most());
        let by = Measurement::images(&test, metric, self.scales(&model, set)?, more);
        let mut train = set.train.clone();
        training::limit(&mut train, args.limit, args.seed);
        let samples = calibration(model.graph(), &train)?;
        let mut job = Pareto::new(model, by)?;
        if let Some(out) = &self.out {
            let settings = Settings {
                epochs: args.epochs,
                batch: args.batch as usize,
                rate: args.lr.unwrap_or(usual.rate),
                rule: usual.rule,
                seed: args.seed,
                augment: usual.augment,
                ..Settings::default()
            };
            let trained = Training::new(task, &train, samples, settings, usual.distillation);
            // Beside the rows: checkpoints of runs whose rows are not there yet.
            let mut runs = out.clone().into_os_string();
            runs.push(".runs");
            job = job.training(trained, PathBuf::from(runs));
        }
        self.complete(job, store)
    }
}
