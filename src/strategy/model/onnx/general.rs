//! Graphs of other operators, run by tract: convolutions, recurrent layers, normalisations.
//!
//! tract computes from a file's sizes before it checks them, and panics on some files. So a file is checked first: its operators
//! are listed ones, without graphs within them, without chance, with results whose shape follows from the inputs' shapes; every tensor holds what
//! its shape says; and each node's result is sized by tract's own rules before it is computed, constants too.

use super::attributes::{Attributes, shape};
use super::graph::{NUMBERS_MAX, class_of_up, input_shape, needed, probabilities};
use super::proto::{DOUBLE, FLOAT, GraphProto, INT32, INT64, NodeProto, TensorProto};
use super::{GRAPH_NODES_MAX, GRAPH_PRODUCTS_MAX, Outcome};
use crate::base::guarded::guarded;
use crate::strategy::features::FEATURES_MAX;
use crate::strategy::model::error::{LibraryError, quoted};
use crate::strategy::model::evaluator::Evaluate;
use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use tract_onnx::pb::ValueInfoProto;
use tract_onnx::tract_hir::infer::Factoid;
use tract_onnx::tract_hir::internal::*;

/// What strides, widths of kernels and borders are at most.
const EXTENT_MAX: i64 = 1 << 16;

/// What is handed to tract.
#[rustfmt::skip]
const OPERATORS: &[&str] = &[
    "Abs", "Acos", "Acosh", "Add", "And", "ArgMax", "ArgMin", "Asin", "Asinh", "Atan", "Atanh", "AveragePool",
    "BatchNormalization", "Cast", "Ceil", "Celu", "Clip", "Concat", "Constant", "ConstantOfShape", "Conv", "ConvTranspose",
    "Cos", "Cosh", "Div", "Dropout", "Elu", "Equal", "Erf", "Exp", "Expand", "Flatten", "Floor", "GRU", "Gather",
    "GatherElements", "Gelu", "Gemm", "GlobalAveragePool", "GlobalMaxPool", "Greater", "GreaterOrEqual", "HardSigmoid",
    "HardSwish", "Identity", "InstanceNormalization", "IsNaN", "LSTM", "LayerNormalization", "LeakyRelu", "Less", "LessOrEqual",
    "Log", "LogSoftmax", "MatMul", "Max", "MaxPool", "Mean", "Min", "Mish", "Mul", "Neg", "Not", "Or", "PRelu", "Pad", "Pow",
    "RNN", "Reciprocal", "ReduceL1", "ReduceL2", "ReduceLogSum", "ReduceLogSumExp", "ReduceMax", "ReduceMean", "ReduceMin",
    "ReduceProd", "ReduceSum", "ReduceSumSquare", "Relu", "Reshape", "Round", "Selu", "Shape", "Sigmoid", "Sign", "Sin", "Sinh",
    "Size", "Slice", "Softmax", "Softplus", "Softsign", "Split", "Sqrt", "Squeeze", "Sub", "Sum", "Tan", "Tanh",
    "ThresholdedRelu", "Tile", "Transpose", "Unsqueeze", "Where", "Xor",
];

/// A graph that tract runs.
#[derive(Debug)]
pub struct General {
    plan: Arc<TypedRunnableModel>,
    /// `None` before the first row, and after a failure. Never locked: tract's state may go to another thread and not be shared, and
    /// settings with a model in them are.
    state: Mutex<Option<TypedSimpleState>>,
    /// Whether operators remember: then each row begins with a new state.
    remembers: bool,
    /// Whether its numbers are floats, and the shape of each input.
    single: bool,
    shapes: Vec<Vec<usize>>,
    row: Vec<f64>,
    output: Vec<f64>,
    pub(super) outcome: Outcome,
}

impl Clone for General {
    fn clone(&self) -> Self {
        Self {
            plan: Arc::clone(&self.plan),
            state: Mutex::default(),
            shapes: self.shapes.clone(),
            row: self.row.clone(),
            output: self.output.clone(),
            ..*self
        }
    }
}

/// A graph as loaded, its features not yet named.
pub struct Loaded {
    pub general: General,
    /// How many numbers a row has.
    pub inputs: usize,
    /// Names of inputs, if each is one number.
    pub input_names: Vec<String>,
    /// How many numbers the output has.
    pub width: usize,
    /// Which class says up, if labels tell.
    pub up: Option<usize>,
    /// The last operator, if it does not say what the output is.
    pub open: Option<String>,
}

impl Evaluate for General {
    fn of_row(&mut self, row: impl Iterator<Item = f64>) -> f64 {
        self.row.iter_mut().zip(row).for_each(|(to, value)| *to = value);
        // What is not a number decides nothing and is counted as such.
        if self.run().is_ok() { self.outcome.log_odds(&self.output) } else { f64::NAN }
    }
}

impl General {
    /// Evaluates the row.
    fn run(&mut self) -> TractResult<()> {
        let mut inputs = tvec![];
        let mut rest = self.row.as_slice();
        for shape in &self.shapes {
            let (numbers, others) = rest.split_at(shape.iter().product());
            rest = others;
            let mut tensor = Tensor::zero_dt(if self.single { f32::datum_type() } else { f64::datum_type() }, shape)?;
            if self.single {
                let mut view = tensor.to_plain_array_view_mut::<f32>()?;
                view.iter_mut().zip(numbers).for_each(|(to, &number)| *to = number as f32);
            } else {
                let mut view = tensor.to_plain_array_view_mut::<f64>()?;
                view.iter_mut().zip(numbers).for_each(|(to, &number)| *to = number);
            }
            inputs.push(tensor.into_tvalue());
        }
        let Self { plan, state, remembers, output, .. } = self;
        let state = state.get_mut().unwrap_or_else(PoisonError::into_inner);
        // It is put back where nothing failed: what a failure leaves in it is not known.
        let mut running = match state.take().filter(|_| !*remembers) {
            Some(running) => running,
            None => plan.spawn()?,
        };
        let outputs = quietly(|| running.run(inputs)).and_then(|outputs| {
            let tensor = outputs.first().context("there is no output")?;
            output.clear();
            if tensor.datum_type() == f32::datum_type() {
                output.extend(tensor.to_plain_array_view::<f32>()?.iter().copied().map(f64::from));
            } else {
                output.extend(tensor.to_plain_array_view::<f64>()?.iter().copied());
            }
            Ok(())
        });
        if outputs.is_ok() {
            *state = Some(running);
        }
        outputs
    }
}

/// Loads a graph that the program does not compile itself, and evaluates it once.
pub fn load(bytes: &[u8], graph: &GraphProto) -> Result<Loaded, LibraryError> {
    let mut output = probabilities(graph)?.name.as_str();
    let mut up = None;
    let producer = |name: &str| graph.node.iter().find(|node| node.output.iter().any(|output| output == name));
    // The same numbers by the classes' names, which tract does not know.
    if let Some(map) = producer(output).filter(|node| node.op_type == "ZipMap") {
        up = class_of_up(&Attributes::new(map)).0;
        output = map.input.first().map_or("", String::as_str);
    }
    let (nodes, wanted) = needed(graph, output);
    let constants: HashSet<&str> = graph.initializer.iter().map(|tensor| tensor.name.as_str()).collect();
    let inputs = graph.input.iter().filter(|input| !constants.contains(input.name.as_str()));
    let mut of_inputs = Vec::new();
    for input in inputs {
        of_inputs.push((input.name.as_str(), input_shape(input)?));
    }
    let single = of_inputs.first().is_some_and(|(_, (single, _))| *single);
    if of_inputs.iter().any(|(_, (other, _))| *other != single) {
        return Err(LibraryError::unsupported("inputs of several types", "convert the model with one type of input"));
    }
    let shapes: Vec<Vec<usize>> = of_inputs.iter().map(|(_, (_, shape))| shape.clone()).collect();
    let count = shapes.iter().map(|shape| shape.iter().product::<usize>()).sum();
    if count == 0 || count > FEATURES_MAX {
        return Err(LibraryError::Count(count));
    }
    for tensor in graph.initializer.iter().filter(|tensor| wanted.contains(tensor.name.as_str())) {
        check_tensor(tensor)?;
    }
    if nodes.len() > GRAPH_NODES_MAX {
        return Err(LibraryError::broken(format!("it has {} nodes; at most {GRAPH_NODES_MAX} are run", nodes.len())));
    }
    let mut known = constants;
    known.extend(of_inputs.iter().map(|(name, _)| *name));
    for node in &nodes {
        check_node(node, &known)?;
        for output in node.output.iter().filter(|output| !output.is_empty()) {
            if !known.insert(output) {
                return Err(Attributes::new(node).fault(format!("'{}' is computed twice", quoted(output))));
            }
        }
    }
    if !known.contains(output) {
        return Err(LibraryError::broken(format!("nothing computes its output '{}'", quoted(output))));
    }
    let plan =
        quietly(|| plan(bytes, &nodes, &wanted, output, single, &shapes)).map_err(|error| failed(&error, single))?;
    let mut general = General {
        state: Mutex::default(),
        remembers: false,
        single,
        row: vec![0.0; count],
        output: Vec::new(),
        shapes,
        plan,
        outcome: Outcome::Probability { at: 0, of_down: false },
    };
    quietly(|| general.run()).map_err(|error| failed(&error, single))?;
    if general.output.is_empty() {
        return Err(LibraryError::broken(format!("its output '{}' has no numbers", quoted(output))));
    }
    let state = general.state.get_mut().unwrap_or_else(PoisonError::into_inner);
    general.remembers = state.iter().flat_map(|state| &state.op_states).any(Option::is_some);
    let last = nodes.iter().rev().find(|node| !VIEWS.contains(&node.op_type.as_str()));
    let open = last.filter(|last| !["Sigmoid", "Softmax"].contains(&last.op_type.as_str()));
    Ok(Loaded {
        inputs: count,
        input_names: match of_inputs.as_slice() {
            [_] => Vec::new(),
            several => several.iter().map(|(name, _)| (*name).to_owned()).collect(),
        },
        width: general.output.len(),
        up,
        open: open.map(|last| Attributes::new(last).name()),
        general,
    })
}

/// What does not change what its numbers are.
const VIEWS: [&str; 8] = ["Identity", "Dropout", "Reshape", "Flatten", "Squeeze", "Unsqueeze", "Cast", "Slice"];

fn failed(error: &TractError, single: bool) -> LibraryError {
    match error.downcast_ref::<Bounded>() {
        Some(Bounded(what)) => LibraryError::broken(what.clone()),
        None => {
            let text = format!("{error:#}").replace(char::is_control, " ");
            let text: String = text.chars().take(200).collect();
            let doubles = if single { "" } else { ", and has few operators for doubles (export with floats)" };
            LibraryError::broken(format!("tract cannot run it{doubles}: {text}"))
        }
    }
}

/// Past a bound of ours: said without tract's words.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Bounded(String);

/// Does what may panic: tract asserts, indexes and unwraps on what a file says. The panic becomes an error, so that the user
/// sees one line and a session goes on. What it leaves half done, whoever sees the error lets go.
fn quietly<T>(work: impl FnOnce() -> TractResult<T>) -> TractResult<T> {
    guarded(work).unwrap_or_else(|| Err(format_err!("it panicked")))
}

/// Makes tract's plan. Nothing is computed whose size was not looked at before.
fn plan(
    bytes: &[u8],
    nodes: &[&NodeProto],
    wanted: &HashSet<&str>,
    output: &str,
    single: bool,
    shapes: &[Vec<usize>],
) -> TractResult<Arc<TypedRunnableModel>> {
    let onnx = tract_onnx::onnx().with_ignore_output_shapes(true).with_ignore_value_info(true);
    let mut proto = onnx.proto_model_for_read(&mut &*bytes)?;
    let graph = proto.graph.as_mut().context("it has no graph")?;
    graph.node.retain(|node| node.output.iter().any(|name| wanted.contains(name.as_str())));
    // A name that comes twice would bring a node that was not looked at.
    ensure!(graph.node.len() == nodes.len(), "a name is computed twice");
    for node in &mut graph.node {
        // Names of nodes say nothing in ONNX, and tract wants them all different, as those of results are.
        node.name = node.output.iter().find(|name| !name.is_empty()).cloned().unwrap_or_default();
    }
    graph.initializer.retain(|tensor| wanted.contains(tensor.name.as_str()));
    graph.sparse_initializer.clear();
    graph.output = vec![ValueInfoProto { name: output.into(), ..ValueInfoProto::default() }];
    let parsed = onnx.parse(&proto, None)?;
    drop(proto);
    let (mut model, outlets) = (parsed.model, parsed.outlets_by_name);
    ensure!(parsed.unresolved_inputs.is_empty() && model.inputs.len() == shapes.len(), "its inputs are not all known");
    for (at, shape) in shapes.iter().enumerate() {
        let kind = if single { f32::datum_type() } else { f64::datum_type() };
        model.set_input_fact(at, InferenceFact::dt_shape(kind, shape.as_slice()))?;
    }
    let (mut numbers, mut products) = (0_usize, 0_u64);
    for node in nodes {
        let name = node.output.iter().find(|name| !name.is_empty()).context("a node has no output")?;
        let id = outlets[name].node;
        let (inputs, outputs) = model.node_facts(id)?;
        let (inputs, outputs): (Vec<_>, Vec<_>) =
            (inputs.into_iter().cloned().collect(), outputs.into_iter().cloned().collect());
        let mut op = model.node(id).op.clone();
        let facts = op.infer_facts(inputs.iter().collect(), outputs.iter().collect(), tvec![])?.1;
        let name = || Attributes::new(node).name();
        let mut of_outputs = 0_usize;
        for fact in &facts {
            let shape = sizes(fact)
                .ok_or_else(|| Bounded(format!("{}: its shape does not follow from the inputs' shapes", name())))?;
            let count = shape.iter().try_fold(1_usize, |product, &dim| product.checked_mul(dim));
            let total = count.and_then(|count| numbers.checked_add(count)).filter(|&total| total <= NUMBERS_MAX);
            numbers = total.ok_or_else(|| {
                Bounded(format!(
                    "{}: its result has the shape {shape:?}; at most {NUMBERS_MAX} numbers are computed",
                    name()
                ))
            })?;
            of_outputs += count.unwrap_or(0);
        }
        let of_inputs = inputs.iter().map(|fact| sizes(fact).unwrap_or_default()).collect::<Vec<_>>();
        products = products.saturating_add(products_of(node, &of_inputs, of_outputs));
        if products > GRAPH_PRODUCTS_MAX {
            let what = format!("{}: more than {GRAPH_PRODUCTS_MAX} products are added up for a row", name());
            return Err(Bounded(what).into());
        }
        let found = op.infer(inputs.iter().collect(), outputs.iter().collect(), tvec![])?.1;
        for (slot, (old, new)) in outputs.iter().zip(&found).enumerate() {
            model.set_outlet_fact(OutletId::new(id, slot), old.unify(new)?)?;
        }
    }
    let kind = model.outlet_fact(outlets[output])?.datum_type.concretize();
    if !kind.is_some_and(|kind| kind == f32::datum_type() || kind == f64::datum_type()) {
        return Err(Bounded("it gives no probabilities, which are float or double".into()).into());
    }
    model.into_optimized()?.into_runnable()
}

fn sizes(fact: &InferenceFact) -> Option<Vec<usize>> {
    fact.shape.concretize()?.iter().map(|dim| dim.to_usize().ok()).collect()
}

/// How many products a node adds up, or numbers it looks at, at most.
fn products_of(node: &NodeProto, inputs: &[Vec<usize>], outputs: usize) -> u64 {
    let elements = |at: usize| {
        let dims = inputs.get(at).map_or(&[][..], Vec::as_slice);
        dims.iter().fold(1_u64, |product, &dim| product.saturating_mul(dim as u64))
    };
    let dim = |input: usize, at: usize| inputs.get(input).and_then(|dims| dims.get(at)).map_or(1, |&dim| dim as u64);
    let outputs = outputs as u64;
    match node.op_type.as_str() {
        "Conv" => outputs.saturating_mul(elements(1) / dim(1, 0).max(1)),
        "ConvTranspose" => elements(0).saturating_mul(elements(1) / dim(1, 0).max(1)),
        "MatMul" | "Gemm" => {
            outputs.saturating_mul(inputs.first().and_then(|dims| dims.iter().max()).map_or(1, |&dim| dim as u64))
        }
        "LSTM" | "GRU" | "RNN" => {
            dim(0, 0).saturating_mul(dim(0, 1)).saturating_mul(elements(1).saturating_add(elements(2)))
        }
        "AveragePool" | "MaxPool" => {
            let kernel = Attributes::new(node).ints("kernel_shape");
            kernel.iter().fold(outputs, |product, &width| product.saturating_mul(width.unsigned_abs()))
        }
        _ => (0..inputs.len()).fold(outputs, |sum, at| sum.saturating_add(elements(at))),
    }
}

fn check_node(node: &NodeProto, known: &HashSet<&str>) -> Result<(), LibraryError> {
    let attributes = Attributes::new(node);
    let operator = node.op_type.as_str();
    if !OPERATORS.contains(&operator) || !["", "ai.onnx"].contains(&node.domain.as_str()) {
        return Err(LibraryError::unsupported(
            format!("the operator {} of node '{}'", quoted(operator), quoted(&node.name)),
            "export without it",
        ));
    }
    if let Some(name) = node.input.iter().find(|name| !name.is_empty() && !known.contains(name.as_str())) {
        let name = quoted(name);
        return Err(attributes.fault(format!("'{name}' is used before it is computed: a cycle, or nodes out of order")));
    }
    for attribute in &node.attribute {
        if let Some(tensor) = &attribute.t {
            check_tensor(tensor)?;
        }
    }
    // tract's arithmetic on these overflows where they are large, and its loops over kernels do not look again.
    for (name, least) in [("kernel_shape", 1), ("strides", 1), ("dilations", 1), ("pads", 0), ("output_padding", 0)] {
        // Pad's may cut, which tract refuses by itself.
        let bounds = if operator == "Pad" { -EXTENT_MAX..=EXTENT_MAX } else { least..=EXTENT_MAX };
        if let Some(bad) = attributes.ints(name).iter().find(|number| !bounds.contains(number)) {
            return Err(attributes.fault(format!("{name} has {bad}; it lies from {} to {EXTENT_MAX}", bounds.start())));
        }
    }
    let group = attributes.int("group", 1);
    if !(1..=EXTENT_MAX).contains(&group) {
        return Err(attributes.fault(format!("group is {group}; it lies from 1 to {EXTENT_MAX}")));
    }
    Ok(())
}

/// A tensor holds as many numbers as its shape says, in the file itself.
fn check_tensor(tensor: &TensorProto) -> Result<(), LibraryError> {
    /// Of `TensorProto.DataType`.
    const BOOL: i32 = 9;
    let name = quoted(&tensor.name);
    if tensor.data_location != 0 {
        let instead = "save the model as one file";
        return Err(LibraryError::unsupported(format!("tensor '{name}', whose numbers are in another file,"), instead));
    }
    let (bytes, listed) = match tensor.data_type {
        FLOAT => (4, tensor.float_data.len()),
        DOUBLE => (8, tensor.double_data.len()),
        INT32 => (4, tensor.int32_data.len()),
        INT64 => (8, tensor.int64_data.len()),
        BOOL => (1, tensor.int32_data.len()),
        other => {
            let what = format!("tensor '{name}' of type {other}");
            return Err(LibraryError::unsupported(what, "types are float, double, int32, int64 and bool"));
        }
    };
    let held = match &tensor.raw_data {
        Some(raw) if raw.len() % bytes == 0 => raw.len() / bytes,
        Some(raw) => {
            return Err(LibraryError::broken(format!(
                "tensor '{name}' has {} bytes, which are no whole numbers",
                raw.len()
            )));
        }
        None => listed,
    };
    if shape(tensor)?.iter().try_fold(1_usize, |product, &dim| product.checked_mul(dim)) != Some(held) {
        let dims = &tensor.dims;
        return Err(LibraryError::broken(format!("tensor '{name}' has {held} numbers for its shape {dims:?}")));
    }
    Ok(())
}
