use super::proto::{
    Attribute, DOUBLE, Dim, Entry, FLOAT, GraphProto, INT64, ModelProto, NodeProto, Shape, TensorProto, TensorType,
    TypeProto, ValueInfo,
};
use super::*;
use crate::statistics::labels::Ties;
use crate::statistics::logistic::probability;
use crate::strategy::features::Feature;
use crate::strategy::model::names::Class;

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
    Attribute { name: name.into(), ints: ints.to_vec(), ..Attribute::default() }
}

fn floats(name: &str, floats: &[f32]) -> Attribute {
    Attribute { name: name.into(), floats: floats.to_vec(), ..Attribute::default() }
}

fn text(name: &str, text: &str) -> Attribute {
    Attribute { name: name.into(), s: Some(text.into()), ..Attribute::default() }
}

fn texts(name: &str, texts: &[&str]) -> Attribute {
    Attribute { name: name.into(), strings: texts.iter().map(|&text| text.into()).collect(), ..Attribute::default() }
}

fn tensor(name: &str, dims: &[i64], numbers: &[f64]) -> TensorProto {
    TensorProto {
        name: name.into(),
        dims: dims.to_vec(),
        data_type: DOUBLE,
        double_data: numbers.to_vec(),
        ..TensorProto::default()
    }
}

fn model(element: i32, node: Vec<NodeProto>, initializer: Vec<TensorProto>) -> ModelProto {
    let graph = GraphProto {
        node,
        initializer,
        input: vec![value("x", element, &[0, 2])],
        output: vec![value("label", INT64, &[0]), value("p", element, &[0, 2])],
    };
    let features = Entry { key: "features".into(), value: "mid, imbalance_1".into() };
    ModelProto { graph: Some(graph), metadata_props: vec![features] }
}

fn pipeline(model: &ModelProto, options: &ModelOptions) -> Pipeline {
    match read(&model.encode_to_vec(), options).unwrap().1 {
        Compiled::Pipeline(pipeline) => pipeline,
        #[cfg(feature = "onnx-graphs")]
        other => panic!("{other:?}"),
    }
}

fn of_row(model: &ModelProto, options: &ModelOptions, row: [f64; 2]) -> f64 {
    pipeline(model, options).of_row(row.into_iter())
}

fn said(model: &ModelProto) -> String {
    read(&model.encode_to_vec(), &ModelOptions::default()).unwrap_err().to_string()
}

/// One tree: x₀ against 0.1 by the mode, then leaves.
fn forest(mode: &str, tracks: i64, labels: &[i64]) -> NodeProto {
    node(
        "TreeEnsembleClassifier",
        &["x"],
        &["label", "p"],
        vec![
            ints("nodes_treeids", &[0, 0, 0]),
            ints("nodes_nodeids", &[0, 1, 2]),
            ints("nodes_featureids", &[0, 0, 0]),
            texts("nodes_modes", &[mode, "LEAF", "LEAF"]),
            floats("nodes_values", &[0.1, 0.0, 0.0]),
            ints("nodes_truenodeids", &[1, 0, 0]),
            ints("nodes_falsenodeids", &[2, 0, 0]),
            ints("nodes_missing_value_tracks_true", &[tracks, 0, 0]),
            ints("class_treeids", &[0, 0]),
            ints("class_nodeids", &[1, 2]),
            ints("class_ids", &[0, 0]),
            floats("class_weights", &[0.25, 0.75]),
            ints("classlabels_int64s", labels),
            text("post_transform", "NONE"),
        ],
    )
}

#[test]
fn trees_by_every_mode() {
    let none = ModelOptions::default();
    // The leaf where the test holds is worth 0.25.
    for (mode, holds) in [
        ("BRANCH_LEQ", [true, true, false]),
        ("BRANCH_LT", [true, false, false]),
        ("BRANCH_GTE", [false, true, true]),
        ("BRANCH_GT", [false, false, true]),
    ] {
        for tracks in [0, 1] {
            let model = model(FLOAT, vec![forest(mode, tracks, &[0, 1])], vec![]);
            // As floats 0.1 and this are the same.
            for (x, holds) in [0.0, 0.100_000_001, 0.2].into_iter().zip(holds).chain([(f64::NAN, tracks == 1)]) {
                let expected = if holds { 0.25 } else { 0.75 };
                assert!((probability(of_row(&model, &none, [x, 0.0])) - expected).abs() < 1e-15, "{mode} {tracks} {x}");
            }
        }
    }
    // As doubles they are not.
    let doubles = model(DOUBLE, vec![forest("BRANCH_LEQ", 0, &[0, 1])], vec![]);
    assert!((probability(of_row(&doubles, &none, [0.100_000_002, 0.0])) - 0.75).abs() < 1e-15);
    let turned = ModelOptions { classes: Some(vec![Class::Up, Class::Down]), features: None };
    assert!((probability(of_row(&doubles, &turned, [0.0, 0.0])) - 0.75).abs() < 1e-15);
}

#[test]
fn a_perceptron_by_hand() {
    let nodes = vec![
        node("Sub", &["x", "mean"], &["centred"], vec![]),
        node("MatMul", &["centred", "w"], &["hidden"], vec![]),
        node("Relu", &["hidden"], &["positive"], vec![]),
        node(
            "Gemm",
            &["positive", "v", "b"],
            &["score"],
            vec![Attribute { name: "transB".into(), i: Some(1), ..Attribute::default() }],
        ),
        node("Sigmoid", &["score"], &["up"], vec![]),
        node("Sub", &["one", "up"], &["down"], vec![]),
        node(
            "Concat",
            &["down", "up"],
            &["p"],
            vec![Attribute { name: "axis".into(), i: Some(1), ..Attribute::default() }],
        ),
        // What leads to the label is not even looked at.
        node("Whatever", &["p"], &["label"], vec![]),
    ];
    let constants = vec![
        tensor("mean", &[2], &[1.0, 2.0]),
        tensor("w", &[2, 3], &[1.0, -1.0, 0.5, 2.0, 0.0, -0.25]),
        tensor("v", &[1, 3], &[0.5, 1.5, -1.0]),
        tensor("b", &[1], &[0.125]),
        tensor("one", &[], &[1.0]),
    ];
    let model = model(DOUBLE, nodes, constants);
    // Centred (1, 2): hidden (5, −1, 0), positive (5, 0, 0).
    let expected = 5.0 * 0.5 + 0.125;
    assert!((of_row(&model, &ModelOptions::default(), [2.0, 4.0]) - expected).abs() < 1e-13);
    let features = read(&model.encode_to_vec(), &ModelOptions::default()).unwrap().0;
    let pipeline = pipeline(&model, &ModelOptions::default());
    assert_eq!(features, [Feature::Mid, Feature::Imbalance(1)]);
    // What it gives depends on the row alone.
    let (mut one, mut other) = (pipeline.clone(), pipeline);
    one.of_row([9.0, -9.0].into_iter());
    assert_eq!(one.of_row([2.0, 4.0].into_iter()), other.of_row([2.0, 4.0].into_iter()));
}

#[test]
fn linear_classifiers_and_what_metadata_say() {
    let linear = node(
        "LinearClassifier",
        &["x"],
        &["label", "p"],
        vec![
            floats("coefficients", &[1.0, 0.0, 0.0, 1.0, -1.0, 0.0]),
            floats("intercepts", &[0.0, 0.5, 0.0]),
            ints("classlabels_ints", &[-1, 0, 1]),
            text("post_transform", "SOFTMAX"),
        ],
    );
    let mut three = model(FLOAT, vec![linear], vec![]);
    let shares = [1.0_f64.exp(), 2.5_f64.exp(), (-1.0_f64).exp()];
    let expected = shares[2] / shares.iter().sum::<f64>();
    // Labels of −1, 0 and 1 say which class is up.
    assert!((probability(of_row(&three, &ModelOptions::default(), [1.0, 2.0])) - expected).abs() < 1e-7);
    let entry = |key: &str, value: &str| Entry { key: key.into(), value: value.into() };
    three.metadata_props.extend([
        entry("classes", "up,same,down"),
        entry("horizon_updates", "50"),
        entry("threshold", "0.55"),
        entry("label", "barrier:200:2ticks"),
        entry("ties", "three"),
    ]);
    let told = read(&three.encode_to_vec(), &ModelOptions::default()).unwrap().2;
    let mut pipeline = pipeline(&three, &ModelOptions::default());
    assert_eq!((told.horizon_updates, told.threshold), (Some(50), Some(0.55)));
    assert_eq!(
        (told.label.map(|rule| rule.to_string()), told.ties),
        (Some("barrier:200:2ticks".into()), Some(Ties::Three))
    );
    let expected = shares[0] / shares.iter().sum::<f64>();
    assert!((probability(pipeline.of_row([1.0, 2.0].into_iter())) - expected).abs() < 1e-7);
    let bad = |key: &str, value: &str| {
        let mut other = three.clone();
        other.metadata_props.retain(|entry| entry.key != key);
        other.metadata_props.push(entry(key, value));
        said(&other)
    };
    assert_eq!(bad("threshold", "1"), "metadata 'threshold' is '1', which is out of its range");
    assert_eq!(bad("horizon_updates", "-1"), "metadata 'horizon_updates' is '-1', which is out of its range");
    assert_eq!(
        bad("label", "up:20"),
        "metadata 'label': label 'up:20' is none of mid:H, mean:H, means:H, around:H:W and barrier:H:D"
    );
    assert_eq!(bad("ties", "none"), "metadata 'ties' is 'none'; it is drop, down or three");
    assert_eq!(bad("output", "odds"), "metadata 'output' is 'odds'; it is logit or probability");
    assert!(bad("features", "mid").starts_with("it takes 2 inputs, and 1 features are named"));
    assert!(bad("features", "[\"mid\", \"alpha\"]").starts_with("input 1: unknown feature 'alpha'"));
}

#[test]
fn what_is_wrong_is_named() {
    let one = |node: NodeProto| said(&model(DOUBLE, vec![node], vec![tensor("w", &[2, 2], &[1.0, 2.0, 3.0, 4.0])]));
    let unknown = "the operator Whatever of node 'n' is not supported; ";
    assert_eq!(
        one(node("Whatever", &["x"], &["p"], vec![])),
        unknown.to_owned()
            + if cfg!(feature = "onnx-graphs") {
                "export without it"
            } else {
                "scalers, linear models, trees, perceptrons and calibration are, and a program built with --features onnx-graphs runs others"
            }
    );
    assert_eq!(
        one(node("MatMul", &["x", "w"], &["p"], vec![])),
        "an output of MatMul 'n' that may be a logit or a probability is not supported; say which in the metadata: output = logit or probability"
    );
    // Of itself: a cycle.
    assert_eq!(
        one(node("Relu", &["p"], &["p"], vec![])),
        "Relu 'n': 'p' is used before it is computed: a cycle, or nodes out of order"
    );
    assert_eq!(one(node("Relu", &["x"], &["q"], vec![])), "nothing computes its output 'p'");
    assert_eq!(one(node("Add", &["x"], &["p"], vec![])), "Add 'n': it has 1 inputs and not 2");
    let graph = |change: &dyn Fn(&mut ModelProto)| {
        let mut model = model(FLOAT, vec![forest("BRANCH_LEQ", 0, &[0, 1])], vec![]);
        change(&mut model);
        said(&model)
    };
    let in_forest = |name: &str, to: Attribute| {
        graph(&|model| {
            let attributes = &mut model.graph.as_mut().unwrap().node[0].attribute;
            *attributes.iter_mut().find(|attribute| attribute.name == name).unwrap() = to.clone();
        })
    };
    for (name, to, message) in [
        ("nodes_truenodeids", ints("nodes_truenodeids", &[0, 0, 0]), "tree 0: node 0 is reached twice: it is no tree"),
        (
            "nodes_truenodeids",
            ints("nodes_truenodeids", &[9, 0, 0]),
            "TreeEnsembleClassifier 'n': tree 0 has no node 9",
        ),
        (
            "nodes_truenodeids",
            ints("nodes_truenodeids", &[1]),
            "TreeEnsembleClassifier 'n': nodes_truenodeids has 1 entries and not 3",
        ),
        (
            "nodes_values",
            floats("nodes_values", &[f32::NAN, 0.0, 0.0]),
            "tree 0: the threshold of node 0 is not a number",
        ),
        ("nodes_featureids", ints("nodes_featureids", &[2, 0, 0]), "tree 0: node 0 asks for input 2; there are 2"),
        (
            "nodes_featureids",
            ints("nodes_featureids", &[-1, 0, 0]),
            "tree 0: node 0 asks for input 18446744073709551615; there are 2",
        ),
        (
            "class_ids",
            ints("class_ids", &[0, 7]),
            "TreeEnsembleClassifier 'n': entry 1 of class_ids belongs to no leaf or no score",
        ),
        ("class_weights", floats("class_weights", &[f32::INFINITY, 0.0]), "tree 0: the value of leaf 1 is not finite"),
        (
            "nodes_nodeids",
            ints("nodes_nodeids", &[0, 1, 1]),
            "TreeEnsembleClassifier 'n': node 1 of tree 0 comes twice",
        ),
        (
            "nodes_modes",
            texts("nodes_modes", &["BRANCH_EQ", "LEAF", "LEAF"]),
            "TreeEnsembleClassifier 'n': the mode BRANCH_EQ of a node is not supported; the modes LEAF, BRANCH_LEQ, _LT, _GTE and _GT are: train on numbers only",
        ),
        (
            "post_transform",
            text("post_transform", "PROBIT"),
            "TreeEnsembleClassifier 'n': post_transform PROBIT is not supported; NONE, LOGISTIC and SOFTMAX are",
        ),
        (
            "classlabels_int64s",
            ints("classlabels_int64s", &[0, 1, 2, 3]),
            "TreeEnsembleClassifier 'n' of 4 classes is not supported; train with two or three",
        ),
    ] {
        assert_eq!(in_forest(name, to), message);
    }
    assert_eq!(graph(&|model| model.graph = None), "it has no graph: it is no ONNX model");
    assert_eq!(
        graph(&|model| model.metadata_props.clear()),
        "it does not name its 2 inputs; give --model-features NAME,NAME,… in the order of its training columns"
    );
    let input = |to: ValueInfo| graph(&|model| model.graph.as_mut().unwrap().input[0] = to.clone());
    assert_eq!(
        input(value("x", INT64, &[0, 2])),
        "input 'x' of type 7 is not supported; features are float or double: convert the model with one of them"
    );
    assert_eq!(
        input(value("x", FLOAT, &[i64::MAX, i64::MAX])),
        "it takes 18446744073709551615 inputs; a model has from 1 to 128"
    );
    // More is asked for than there is room for.
    let huge = vec![node("Reshape", &["x", "tall"], &["t"], vec![]), node("Add", &["t", "wide"], &["p"], vec![])];
    let constants = vec![tensor("tall", &[2], &[2.0, 1.0]), tensor("wide", &[1_000_000], &vec![1.0; 1_000_000])];
    assert_eq!(said(&model(DOUBLE, huge, constants)), "Add 'n': its result has the shape [2, 1000000]");
    assert_eq!(
        said(&model(
            DOUBLE,
            vec![node("Add", &["x", "w"], &["p"], vec![])],
            vec![tensor("w", &[i64::MAX, i64::MAX], &[1.0])]
        )),
        "tensor 'w' has 1 numbers for its shape [9223372036854775807, 9223372036854775807]"
    );
}

#[test]
fn a_gemm_has_factors() {
    let factor = |name: &str, f: f32| Attribute { name: name.into(), f: Some(f), ..Attribute::default() };
    let gemm = node(
        "Gemm",
        &["x", "w", "b"],
        &["score"],
        vec![factor("alpha", 0.5), factor("beta", -2.0), factor("unused", 9.0)],
    );
    let nodes = vec![gemm, node("Sigmoid", &["score"], &["p"], vec![])];
    let model = model(DOUBLE, nodes, vec![tensor("w", &[2, 1], &[3.0, 4.0]), tensor("b", &[1], &[0.25])]);
    let expected = 0.5 * (3.0 * 0.5 + 4.0 * -0.125) - 2.0 * 0.25;
    assert!((of_row(&model, &ModelOptions::default(), [0.5, -0.125]) - expected).abs() < 1e-14);
}

#[test]
fn an_imputer_replaces() {
    let imputer = |by: &[f32], what: Option<f32>| {
        let mut attributes = vec![floats("imputed_value_floats", by)];
        attributes.push(Attribute { name: "replaced_value_float".into(), f: what, ..Attribute::default() });
        let take = node("MatMul", &["filled", "w"], &["score"], vec![]);
        let nodes =
            vec![node("Imputer", &["x"], &["filled"], attributes), take, node("Sigmoid", &["score"], &["p"], vec![])];
        model(DOUBLE, nodes, vec![tensor("w", &[2, 1], &[1.0, 10.0])])
    };
    let none = ModelOptions::default();
    for (by, what, row, filled) in [
        (&[0.5, -0.25][..], Some(f32::NAN), [f64::NAN, 0.125], [0.5, 0.125]),
        (&[0.5, -0.25], Some(f32::NAN), [f64::NAN, f64::NAN], [0.5, -0.25]),
        // One for all, in place of another number than none.
        (&[0.5], Some(3.0), [3.0, 3.0], [0.5, 0.5]),
        (&[0.5], Some(3.0), [3.000_001, 0.0], [3.000_001, 0.0]),
        (&[0.5, 0.25], None, [0.0, 1.0], [0.5, 1.0]),
    ] {
        let expected = filled[0] + 10.0 * filled[1];
        assert!((of_row(&imputer(by, what), &none, row) - expected).abs() < 1e-9, "{by:?} {what:?} {row:?}");
    }
    assert!(of_row(&imputer(&[0.5], Some(3.0)), &none, [f64::NAN, 0.0]).is_nan());
    assert_eq!(said(&imputer(&[1.0, 2.0, 3.0], None)), "Imputer 'n': imputed_value_floats has 3 entries and not 2");
    assert_eq!(said(&imputer(&[], None)), "Imputer 'n': imputed_value_floats has 0 entries and not 2");
    let mut integers = imputer(&[], None);
    integers.graph.as_mut().unwrap().node[0].attribute = vec![ints("imputed_value_int64s", &[1, 2])];
    assert_eq!(said(&integers), "Imputer 'n' of integers is not supported; features are float or double");
}

#[test]
fn inputs_of_one_number_each_name_the_features() {
    let concat = node("Concat", &["mid", "imbalance_1"], &["x"], vec![]);
    let take = node("MatMul", &["x", "w"], &["score"], vec![]);
    let mut columns = model(
        DOUBLE,
        vec![concat, take, node("Sigmoid", &["score"], &["p"], vec![])],
        vec![tensor("w", &[2, 1], &[1.0, 10.0])],
    );
    columns.metadata_props.clear();
    columns.graph.as_mut().unwrap().input = ["mid", "imbalance_1"].map(|name| value(name, DOUBLE, &[0, 1])).into();
    let features = read(&columns.encode_to_vec(), &ModelOptions::default()).unwrap().0;
    assert_eq!(features, [Feature::Mid, Feature::Imbalance(1)]);
    assert!((of_row(&columns, &ModelOptions::default(), [0.25, 0.5]) - 5.25).abs() < 1e-13);
    let input = |columns: &mut ModelProto, to: ValueInfo| columns.graph.as_mut().unwrap().input[0] = to;
    let mut other = columns.clone();
    input(&mut other, value("mud", DOUBLE, &[0, 1]));
    assert!(said(&other).starts_with("Concat 'n': 'mid' is used before it is computed"));
    other.graph.as_mut().unwrap().node[0].input[0] = "mud".into();
    assert!(said(&other).starts_with("input 0: unknown feature 'mud'; "), "{}", said(&other));
    input(&mut columns, value("mid", FLOAT, &[0, 1]));
    assert_eq!(said(&columns), "inputs of several types is not supported; convert the model with one type of input");
}

#[test]
fn cut_files_are_errors() {
    let whole = model(FLOAT, vec![forest("BRANCH_LEQ", 0, &[0, 1])], vec![]).encode_to_vec();
    assert!(read(&whole, &ModelOptions::default()).is_ok());
    let metadata = whole.len() - ModelProto { graph: None, ..model(FLOAT, vec![], vec![]) }.encode_to_vec().len();
    for end in (0..whole.len()).filter(|&end| end != metadata) {
        read(&whole[..end], &ModelOptions::default()).unwrap_err();
    }
}

#[test]
fn squeezed_values_have_the_shape_that_they_say() {
    // x of [1, 2] beside itself as [1, 2, 1]: by broadcasting, all four sums, and not two.
    let nodes = vec![
        node("Unsqueeze", &["x"], &["column"], vec![ints("axes", &[2])]),
        node("Unsqueeze", &["x"], &["row"], vec![ints("axes", &[1])]),
        node("Add", &["column", "row"], &["table"], vec![]),
        node("Flatten", &["table"], &["four"], vec![]),
        node("MatMul", &["four", "w"], &["score"], vec![]),
        node("Sigmoid", &["score"], &["p"], vec![]),
    ];
    // 1·(x0 + x0) + 10·(x0 + x1) + 100·(x1 + x0) + 1000·(x1 + x1), in thousandths.
    let weights = tensor("w", &[4, 1], &[0.001, 0.01, 0.1, 1.0]);
    let found = of_row(&model(DOUBLE, nodes, vec![weights]), &ModelOptions::default(), [0.25, 0.75]);
    let expected = 0.001 * 0.5 + 0.01 * (0.25 + 0.75) + 0.1 * (0.75 + 0.25) + 1.5;
    assert!((found - expected).abs() < 1e-9, "{found} {expected}");
    for (op, axes, says) in [
        ("Squeeze", &[1][..], "Squeeze 'n': dimension 1 of [1, 2] is not 1"),
        ("Squeeze", &[2], "Squeeze 'n': its axes are none of a value of the shape [1, 2]"),
        ("Unsqueeze", &[0, 0], "Unsqueeze 'n': its axes are none of a value of the shape [1, 2]"),
        ("Unsqueeze", &[-4], "Unsqueeze 'n': its axes are none of a value of the shape [1, 2]"),
    ] {
        let nodes = vec![node(op, &["x"], &["p"], vec![ints("axes", axes)])];
        assert_eq!(said(&model(DOUBLE, nodes, vec![])), says);
    }
}
