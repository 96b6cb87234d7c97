//! ONNX graphs that the program does not compile itself: run by tract where the feature `onnx-graphs` is there, refused by
//! the operator's name where it is not. What is wrong with such a file is one error, whatever it says.

#[allow(dead_code)] // Of the messages, what these graphs need.
#[path = "../src/strategy/model/onnx/proto.rs"]
mod proto;

use papertrader::strategy::model::{Model, ModelError, ModelOptions};
use prost::Message;
use proto::{
    Attribute, Dim, Entry, FLOAT, GraphProto, ModelProto, NodeProto, Shape, TensorProto, TensorType, TypeProto,
    ValueInfo,
};
use std::path::Path;

const NAMES: [&str; 6] = ["imbalance_1", "imbalance_2", "imbalance_3", "imbalance_4", "imbalance_5", "spread_ticks"];

fn value(name: &str, element: i32, dims: &[i64]) -> ValueInfo {
    let shape = Shape { dim: dims.iter().map(|&value| Dim { value }).collect() };
    let tensor = TensorType { element, shape: Some(shape) };
    ValueInfo { name: name.into(), kind: Some(TypeProto { tensor: Some(tensor) }) }
}

fn node(op: &str, inputs: &[&str], outputs: &[&str], attribute: Vec<Attribute>) -> NodeProto {
    let names = |names: &[&str]| names.iter().map(ToString::to_string).collect();
    let (name, op_type) = ("n".into(), op.into());
    NodeProto { input: names(inputs), output: names(outputs), name, op_type, attribute, domain: String::new() }
}

fn ints(name: &str, ints: &[i64]) -> Attribute {
    Attribute { name: name.into(), ints: ints.to_vec(), kind: 7, ..Attribute::default() }
}

fn int(name: &str, int: i64) -> Attribute {
    Attribute { name: name.into(), i: Some(int), kind: 2, ..Attribute::default() }
}

fn tensor(name: &str, dims: &[i64], numbers: &[f32]) -> TensorProto {
    let (name, dims, float_data) = (name.into(), dims.to_vec(), numbers.to_vec());
    TensorProto { name, dims, data_type: FLOAT, float_data, ..TensorProto::default() }
}

fn model(node: Vec<NodeProto>, initializer: Vec<TensorProto>) -> ModelProto {
    let graph = GraphProto {
        node,
        initializer,
        input: vec![value("x", FLOAT, &[0, 6])],
        output: vec![value("p", FLOAT, &[0, 1])],
    };
    let features = Entry { key: "features".into(), value: NAMES.join(",") };
    ModelProto { graph: Some(graph), metadata_props: vec![features] }
}

/// Numbers of both signs that are floats.
fn numbers(count: usize, seed: usize) -> Vec<f32> {
    (0..count).map(|at| ((at * 7 + seed * 5) % 13) as f32 / 8.0 - 0.75).collect()
}

/// Two convolutions of width 3, the mean of each channel, a logistic regression of those.
fn convolution() -> ModelProto {
    let same = || vec![ints("kernel_shape", &[3]), ints("pads", &[1, 1])];
    let nodes = vec![
        node("Unsqueeze", &["x"], &["row"], vec![ints("axes", &[1])]),
        node("Conv", &["row", "w1", "b1"], &["one"], same()),
        node("Relu", &["one"], &["positive"], vec![]),
        node("Conv", &["positive", "w2"], &["two"], same()),
        node("GlobalAveragePool", &["two"], &["means"], vec![]),
        node("Flatten", &["means"], &["flat"], vec![]),
        node("Gemm", &["flat", "w3", "b3"], &["score"], vec![int("transB", 1)]),
        node("Sigmoid", &["score"], &["p"], vec![]),
    ];
    let weights = vec![
        tensor("w1", &[4, 1, 3], &numbers(12, 1)),
        tensor("b1", &[4], &numbers(4, 2)),
        tensor("w2", &[2, 4, 3], &numbers(24, 3)),
        tensor("w3", &[1, 2], &numbers(2, 4)),
        tensor("b3", &[1], &numbers(1, 5)),
    ];
    model(nodes, weights)
}

fn read(model: &ModelProto) -> Result<Model, ModelError> {
    Model::parse_bytes(Path::new("m.onnx"), &model.encode_to_vec(), &ModelOptions::default())
}

fn said(model: &ModelProto) -> String {
    let error = read(model).unwrap_err().to_string();
    error.strip_prefix("model m.onnx (ONNX): ").expect("whose file it is").to_owned()
}

#[cfg(not(feature = "onnx-graphs"))]
#[test]
fn without_the_feature_the_operator_is_named() {
    assert_eq!(
        said(&convolution()),
        "the operator Conv of node 'n' is not supported; scalers, linear models, trees, perceptrons and calibration are, and a \
         program built with --features onnx-graphs runs others"
    );
}

#[test]
fn cut_files_are_errors() {
    let whole = convolution().encode_to_vec();
    for end in (0..whole.len()).step_by(if cfg!(feature = "onnx-graphs") { 7 } else { 1 }) {
        let cut = Model::parse_bytes(Path::new("m.onnx"), &whole[..end], &ModelOptions::default());
        let error = cut.unwrap_err().to_string();
        assert!(error.starts_with("model m.onnx (ONNX): ") && !error.contains('\n'), "{end}: {error}");
    }
}

#[cfg(feature = "onnx-graphs")]
mod run_by_tract {
    use super::proto::{DOUBLE, INT64};
    use super::*;
    use std::process::Command;

    fn integers(name: &str, numbers: &[i64]) -> TensorProto {
        let (name, dims, int64_data) = (name.into(), vec![numbers.len() as i64], numbers.to_vec());
        TensorProto { name, dims, data_type: INT64, int64_data, ..TensorProto::default() }
    }

    fn graph(model: &mut ModelProto) -> &mut GraphProto {
        model.graph.as_mut().unwrap()
    }

    /// The same by hand, in doubles.
    fn by_hand(row: &[f64]) -> f64 {
        let convolve = |channels: &[Vec<f64>], w: &[f32], bias: &[f32], outputs: usize| -> Vec<Vec<f64>> {
            let (inputs, width) = (channels.len(), channels[0].len());
            let at = |channel: &[f64], at: isize| {
                usize::try_from(at).ok().and_then(|at| channel.get(at)).copied().unwrap_or(0.0)
            };
            let of = |output: usize, x: usize| {
                let products = (0..inputs).flat_map(|input| {
                    let channel = &channels[input];
                    (0..3).map(move |k| {
                        f64::from(w[(output * inputs + input) * 3 + k]) * at(channel, x as isize + k as isize - 1)
                    })
                });
                products.sum::<f64>() + bias.get(output).map_or(0.0, |&bias| f64::from(bias))
            };
            (0..outputs).map(|output| (0..width).map(|x| of(output, x)).collect()).collect()
        };
        let mut one = convolve(&[row.to_vec()], &numbers(12, 1), &numbers(4, 2), 4);
        one.iter_mut().flatten().for_each(|number| *number = number.max(0.0));
        let two = convolve(&one, &numbers(24, 3), &[], 2);
        let means = two.iter().map(|channel| channel.iter().sum::<f64>() / channel.len() as f64);
        means.zip(numbers(2, 4)).map(|(mean, w)| mean * f64::from(w)).sum::<f64>() + f64::from(numbers(1, 5)[0])
    }

    #[test]
    fn a_convolution_by_hand() {
        let mut model = read(&convolution()).unwrap();
        let mut other = model.clone();
        for row in (0..20).map(|seed| numbers(6, seed).into_iter().map(f64::from).collect::<Vec<_>>()) {
            let logit = model.logit_of_row(&row);
            assert!((logit - by_hand(&row)).abs() < 1e-5, "{row:?}: {logit} and {}", by_hand(&row));
            // What it gives depends on the row alone.
            assert_eq!(logit.to_bits(), other.logit_of_row(&row).to_bits());
            other.logit_of_row(&[9.0; 6]);
        }
    }

    #[test]
    fn rows_in_other_shapes_and_doubles() {
        let mut shaped = convolution();
        graph(&mut shaped).node.remove(0);
        graph(&mut shaped).input = vec![value("row", FLOAT, &[0, 1, 6])];
        let row = [0.5, -0.25, 0.125, 1.0, -1.0, 0.75];
        let expected = by_hand(&row);
        assert!((read(&shaped).unwrap().logit_of_row(&row) - expected).abs() < 1e-5);
        let mut doubles = convolution();
        for tensor in graph(&mut doubles).initializer.iter_mut().filter(|tensor| tensor.data_type == FLOAT) {
            tensor.double_data = tensor.float_data.drain(..).map(f64::from).collect();
            tensor.data_type = DOUBLE;
        }
        // tract's Gemm and Sigmoid are of floats.
        let gemm = graph(&mut doubles).node.iter().position(|node| node.op_type == "Gemm").unwrap();
        graph(&mut doubles).initializer[3].dims = vec![2, 1];
        let product = node("MatMul", &["flat", "w3"], &["product"], vec![]);
        let sum = node("Add", &["product", "b3"], &["score"], vec![]);
        graph(&mut doubles).node.splice(gemm.., [product, sum]);
        doubles.metadata_props.push(Entry { key: "output".into(), value: "logit".into() });
        graph(&mut doubles).input = vec![value("x", DOUBLE, &[0, 6])];
        graph(&mut doubles).output = vec![value("score", DOUBLE, &[0, 1])];
        assert!((read(&doubles).unwrap().logit_of_row(&row) - expected).abs() < 1e-12);
        // One input for each number, whose names are the features.
        let mut columns = convolution();
        graph(&mut columns).node.insert(0, node("Concat", &NAMES, &["x"], vec![int("axis", 1)]));
        graph(&mut columns).input = NAMES.map(|name| value(name, FLOAT, &[0, 1])).into();
        columns.metadata_props.clear();
        let mut named = read(&columns).unwrap();
        assert_eq!(named.features.iter().map(ToString::to_string).collect::<Vec<_>>(), NAMES);
        assert!((named.logit_of_row(&row) - expected).abs() < 1e-5);
    }

    #[test]
    fn recurrent_layers_forget_the_row_before() {
        let nodes = vec![
            node("Reshape", &["x", "shape"], &["steps"], vec![]),
            node("LSTM", &["steps", "w", "r"], &["", "last"], vec![int("hidden_size", 2)]),
            node("Reshape", &["last", "flat"], &["hidden"], vec![]),
            node("Gemm", &["hidden", "v"], &["score"], vec![]),
            node("Sigmoid", &["score"], &["p"], vec![]),
        ];
        let weights = vec![
            integers("shape", &[3, 1, 2]),
            integers("flat", &[1, 2]),
            tensor("w", &[1, 8, 2], &numbers(16, 1)),
            tensor("r", &[1, 8, 2], &numbers(16, 2)),
            tensor("v", &[2, 1], &numbers(2, 3)),
        ];
        let mut model = read(&model(nodes, weights)).unwrap();
        let row = [0.5, -0.25, 0.125, 1.0, -1.0, 0.75];
        let first = model.logit_of_row(&row);
        assert!(first.is_finite() && first != 0.0);
        model.logit_of_row(&[2.0; 6]);
        assert_eq!(model.logit_of_row(&row).to_bits(), first.to_bits());
    }

    #[test]
    fn what_is_wrong_is_named() {
        let changed = |change: &dyn Fn(&mut GraphProto)| {
            let mut model = convolution();
            change(graph(&mut model));
            said(&model)
        };
        assert_eq!(
            changed(&|graph| graph.node[2].op_type = "Whatever".into()),
            "the operator Whatever of node 'n' is not supported; export without it"
        );
        assert_eq!(
            changed(&|graph| graph.node[2].op_type = "Loop".into()),
            "the operator Loop of node 'n' is not supported; export without it"
        );
        assert_eq!(
            changed(&|graph| graph.node[1].domain = "mine".into()),
            "the operator Conv of node 'n' is not supported; export without it"
        );
        assert_eq!(
            changed(&|graph| graph.node[1].input[0] = "two".into()),
            "Conv 'n': 'two' is used before it is computed: a cycle, or nodes out of order"
        );
        assert_eq!(changed(&|graph| graph.node[3].output.push("one".into())), "Conv 'n': 'one' is computed twice");
        assert_eq!(changed(&|graph| graph.node.truncate(6)), "nothing computes its output 'p'");
        // Weights of two channels for one; a kernel that is not the weights'.
        for dims in [&[2, 2, 3][..], &[4, 3], &[12], &[1, 1, 12]] {
            let error = changed(&|graph| graph.initializer[0].dims = dims.to_vec());
            assert!(error.starts_with("tract cannot run it: ") && error.len() < 300, "{dims:?} {error}");
        }
        let error = changed(&|graph| graph.node[1].attribute[0].ints = vec![5]);
        assert!(error.starts_with("tract cannot run it: "), "{error}");
        assert_eq!(changed(&|graph| graph.initializer[0].dims = vec![4, 1, -3]), "tensor 'w1' has a dimension below 0");
        assert_eq!(
            changed(&|graph| graph.initializer[0].dims = vec![i64::MAX, i64::MAX, 2]),
            format!("tensor 'w1' has 12 numbers for its shape [{0}, {0}, 2]", i64::MAX)
        );
        assert_eq!(
            changed(&|graph| graph.initializer[0].dims = vec![1 << 40]),
            "tensor 'w1' has 12 numbers for its shape [1099511627776]"
        );
        assert_eq!(
            changed(&|graph| graph.initializer[0].data_location = 1),
            "tensor 'w1', whose numbers are in another file, is not supported; save the model as one file"
        );
        assert_eq!(
            changed(&|graph| graph.initializer[0].data_type = 10),
            "tensor 'w1' of type 10 is not supported; types are float, double, int32, int64 and bool"
        );
        assert_eq!(
            changed(&|graph| graph.initializer[0].raw_data = Some(vec![0; 5])),
            "tensor 'w1' has 5 bytes, which are no whole numbers"
        );
        for (at, name, bad) in
            [(1, "pads", -1), (1, "pads", 1 << 40), (0, "kernel_shape", 0), (0, "kernel_shape", i64::MIN)]
        {
            let least = i64::from(name != "pads");
            assert_eq!(
                changed(&|graph| graph.node[1].attribute[at].ints = vec![bad]),
                format!("Conv 'n': {name} has {bad}; it lies from {least} to 65536")
            );
        }
        assert_eq!(
            changed(&|graph| graph.node[1].attribute.push(int("group", 0))),
            "Conv 'n': group is 0; it lies from 1 to 65536"
        );
        // No numbers at all, and classes without end.
        let shaped = |dims: &[i64]| {
            changed(&|graph| {
                let last = graph.node.len() - 1;
                graph.initializer.push(tensor("none", dims, &numbers(dims.iter().product::<i64>() as usize, 0)));
                graph.node[last].op_type = "Add".into();
                graph.node[last].input.push("none".into());
                graph.node[last].output[0] = "sum".into();
                graph.node.push(node("Sigmoid", &["sum"], &["p"], vec![]));
            })
        };
        assert_eq!(shaped(&[0]), "its output 'p' has no numbers");
        assert_eq!(shaped(&[4]), "a model of 4 classes is not supported; train one with two or three");
        // Labels of each other.
        let map = |from: &str, to: &str| node("ZipMap", &[from], &[to], vec![]);
        assert_eq!(
            changed(&|graph| graph.node.splice(7.., [map("q", "p"), map("p", "q")]).for_each(drop)),
            "ZipMap 'n': 'q' is used before it is computed: a cycle, or nodes out of order"
        );
        assert_eq!(
            changed(&|graph| graph.input[0] = value("x", FLOAT, &[0, 129])),
            "it takes 129 inputs; a model has from 1 to 128"
        );
        assert_eq!(
            changed(&|graph| graph.input[0] = value("x", FLOAT, &[0, 7])),
            "it takes 7 inputs, and 6 features are named"
        );
        assert_eq!(
            changed(&|graph| graph.input.push(value("y", DOUBLE, &[0, 1]))),
            "inputs of several types is not supported; convert the model with one type of input"
        );
        let mut unnamed = convolution();
        unnamed.metadata_props[0].value = NAMES.join(",").replace("spread_ticks", "spread_tocks");
        assert!(said(&unnamed).starts_with("input 5: unknown feature 'spread_tocks'; "), "{}", said(&unnamed));
        assert_eq!(
            changed(&|graph| graph.input[0] = value("x", DOUBLE, &[0, 6])).split(": ").next(),
            Some("tract cannot run it, and has few operators for doubles (export with floats)")
        );
        assert_eq!(
            changed(&|graph| graph.node.last_mut().unwrap().op_type = "Neg".into()),
            "an output of Neg 'n' that may be a logit or a probability is not supported; say which in the metadata: output = logit or probability"
        );
    }

    #[test]
    fn nothing_large_is_computed() {
        let conv = || node("Conv", &["row", "w"], &["c"], vec![ints("pads", &[0, 0])]);
        let bounded = |mut nodes: Vec<NodeProto>, weights: Vec<TensorProto>| {
            nodes.insert(0, node("Unsqueeze", &["x"], &["row"], vec![ints("axes", &[1])]));
            nodes.push(node("Sigmoid", &["c"], &["p"], vec![]));
            said(&model(nodes, weights))
        };
        // Of constants alone, which tract would compute when it loads.
        assert_eq!(
            bounded(
                vec![
                    node("ConstantOfShape", &["huge"], &["large"], vec![]),
                    node("Add", &["row", "large"], &["c"], vec![])
                ],
                vec![integers("huge", &[1 << 20, 1 << 20])]
            ),
            "ConstantOfShape 'n': its result has the shape [1048576, 1048576]; at most 1048576 numbers are computed"
        );
        let tall = || tensor("tall", &[4096, 1], &vec![1.0; 4096]);
        assert_eq!(
            bounded(
                vec![
                    node("Transpose", &["tall"], &["wide"], vec![]),
                    node("MatMul", &["tall", "wide"], &["square"], vec![]),
                    node("Add", &["row", "square"], &["c"], vec![])
                ],
                vec![tall()]
            ),
            "MatMul 'n': its result has the shape [4096, 4096]; at most 1048576 numbers are computed"
        );
        let mut padded = conv();
        padded.attribute[0].ints = vec![65536, 65536];
        assert_eq!(
            bounded(vec![padded], vec![tensor("w", &[1, 1, 1024], &vec![1.0; 1024])]),
            "Conv 'n': more than 67108864 products are added up for a row"
        );
        let mut repeated = vec![node("Identity", &["row"], &["c0"], vec![])];
        repeated.extend((0..5000).map(|at| node("Neg", &[&format!("c{at}")], &[&format!("c{}", at + 1)], vec![])));
        repeated.push(node("Erf", &["c5000"], &["c"], vec![]));
        assert_eq!(bounded(repeated, vec![]), "it has 5004 nodes; at most 4096 are run");
    }

    #[test]
    fn a_report_says_what_an_evaluation_costs() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        std::fs::write(path("m.onnx"), convolution().encode_to_vec()).unwrap();
        let program = || Command::new(env!("CARGO_BIN_EXE_papertrader"));
        let made =
            program().args(["generate", "--frames", "400", "--output"]).arg(path("market.zst")).output().unwrap();
        assert!(made.status.success(), "{made:?}");
        let ran = program()
            .args(["replay", "--name", "run", "--out"])
            .arg(folder.path())
            .arg("--model")
            .arg(path("m.onnx"))
            .arg(path("market.zst"))
            .output()
            .unwrap();
        assert!(ran.status.success(), "{ran:?}");
        let json: serde_json::Value = serde_json::from_slice(&std::fs::read(path("run.json")).unwrap()).unwrap();
        let cost = &json["timing"]["model"];
        let number = |name: &str| cost[name].as_u64().unwrap_or_else(|| panic!("{name} of {cost}"));
        assert!((1..=200).contains(&number("evaluations")) && number("p50_ns") <= number("p99_ns"));
        assert!(number("allocations") > 0 && number("allocated_bytes") >= number("allocations"));
        assert!(json["counters"]["trading"]["evaluations"].as_u64().unwrap() > 0);
        let says =
            format!("a general ONNX graph, run by tract; an evaluation allocates {} times, ", number("allocations"));
        assert!(String::from_utf8_lossy(&ran.stdout).contains(&says), "{ran:?}");
        assert!(std::fs::read_to_string(path("run.html")).unwrap().contains(&says));
    }
}
