// LSTMs and GRUs of captured models: cut into layers by prepare(), they compute what the module computes
// while float, train on integers, and ship the bits that they trained on at any batch and any length.
#include "tests/torch_ext/models.h"
#include "tests/torch_ext/runs.h"
#include "torch_ext/capture.h"
#include "torch_ext/modules/qat_recurrent.h"

namespace samebits {
namespace {

using torch::Tensor;
namespace nn = torch::nn;

class Recurrent : public ModelTest {};

/// What an LSTM or a GRU may be asked for.
struct Wishes {
  std::int64_t layers = 1;
  bool bias = true, batch_first = false, bidirectional = false, reads_states = false, gives_states = false;
  double dropout = 0;
};

template <class Rnn>
struct Net : nn::Module {
  Wishes wishes;
  Rnn rnn{nullptr};
  nn::Linear fc{nullptr};

  template <class Options>
  Net(const Wishes& w, Options options) : wishes(w) {
    rnn = register_module("rnn", Rnn(options.num_layers(w.layers)
                                         .bias(w.bias)
                                         .batch_first(w.batch_first)
                                         .bidirectional(w.bidirectional)
                                         .dropout(w.dropout)));
    fc = register_module("fc", nn::Linear(w.bidirectional ? 14 : 7, 3));
  }
  /// x, and the first states where they are given.
  Tensors forward(const Tensors& in) {
    if constexpr (std::is_same_v<Rnn, nn::LSTM>) {
      const auto [y, states] = in.size() > 1
                                   ? rnn(in[0], std::make_tuple(in[1].transpose(0, 1), in[2].transpose(0, 1)))
                                   : rnn(in[0]);
      if (wishes.reads_states) return {fc(y), std::get<0>(states), std::get<1>(states)};
      return {fc(y)};
    } else {
      const auto [y, state] = in.size() > 1 ? rnn(in[0], in[1].transpose(0, 1)) : rnn(in[0]);
      if (wishes.reads_states) return {fc(y), state};
      return {fc(y)};
    }
  }
};

template <class Rnn>
std::shared_ptr<Net<Rnn>> make(const Wishes& wishes) {
  if constexpr (std::is_same_v<Rnn, nn::LSTM>)
    return std::make_shared<Net<Rnn>>(wishes, nn::LSTMOptions(5, 7));
  else
    return std::make_shared<Net<Rnn>>(wishes, nn::GRUOptions(5, 7));
}

template <class Rnn>
Tensors inputs_of(const Wishes& wishes, std::int64_t batch, std::int64_t steps) {
  Tensors inputs = {wishes.batch_first ? torch::randn({batch, steps, 5}) : torch::randn({steps, batch, 5})};
  const std::int64_t states = wishes.layers * (wishes.bidirectional ? 2 : 1);
  if (wishes.gives_states)
    for (int i = 0; i < (std::is_same_v<Rnn, nn::LSTM> ? 2 : 1); ++i)
      inputs.push_back(torch::randn({batch, states, 7}));
  return inputs;
}

template <class Rnn>
GraphModule captured(Net<Rnn>& net, const Wishes& wishes) {
  const Tensors inputs = inputs_of<Rnn>(wishes, 3, 5);
  DynamicAxes axes{{wishes.batch_first ? 0 : 1}, {wishes.batch_first ? 1 : 0}};
  axes.batch.resize(inputs.size(), 0);
  axes.sequence.resize(inputs.size(), -1);
  return capture(net, inputs, axes);
}

std::vector<Wishes> all_wishes() {
  return {{},
          {.bias = false},
          {.layers = 2, .batch_first = true, .dropout = 0.2},
          {.bidirectional = true},
          {.layers = 2, .batch_first = true, .bidirectional = true, .reads_states = true},
          {.layers = 2, .reads_states = true, .gives_states = true},
          {.batch_first = true, .bidirectional = true, .reads_states = true, .gives_states = true}};
}

template <class Rnn, class Visit>
void for_each_net(Visit visit) {
  const std::vector<Wishes> wishes = all_wishes();
  for (std::size_t i = 0; i < wishes.size(); ++i) {
    SCOPED_TRACE(testing::Message() << (std::is_same_v<Rnn, nn::LSTM> ? "lstm " : "gru ") << i);
    torch::manual_seed(4);
    visit(make<Rnn>(wishes[i]), wishes[i]);
  }
}
template <class Visit>
void for_both(Visit visit) {
  for_each_net<nn::LSTM>([&](auto net, const Wishes& w) { visit(net, w); });
  for_each_net<nn::GRU>([&](auto net, const Wishes& w) { visit(net, w); });
}

template <class Rnn>
Rnn rnn_type(const std::shared_ptr<Net<Rnn>>&);

TEST_F(Recurrent, ComputeWhatTheModuleComputesWhileTheyAreFloat) {
  for_both([](auto net, const Wishes& w) {
    using Rnn = decltype(rnn_type(net));
    GraphModule graph = captured<Rnn>(*net, w);
    Prepared prepared = prepare(graph, QConfig(), inputs_of<Rnn>(w, 3, 5));
    prepared.set_state(QuantizerState::kFloat);
    const Tensors x = inputs_of<Rnn>(w, 4, 6);
    net->eval();
    graph->eval();
    const Tensors want = net->forward(x), got = graph->forward(x);
    ASSERT_EQ(want.size(), got.size());
    Tensor loss = torch::zeros({}), graph_loss = torch::zeros({});
    for (std::size_t i = 0; i < want.size(); ++i) {
      EXPECT_TRUE(torch::allclose(want[i], got[i], 1e-4, 1e-5)) << "output " << i;
      loss = loss + want[i].square().sum();
      graph_loss = graph_loss + got[i].square().sum();
    }
    const auto of_net = torch::autograd::grad({loss}, net->parameters());
    const auto of_graph = torch::autograd::grad({graph_loss}, net->parameters());
    for (std::size_t i = 0; i < of_net.size(); ++i)
      EXPECT_TRUE(torch::allclose(of_net[i], of_graph[i], 1e-3, 1e-4)) << net->named_parameters().keys()[i];
  });
}

TEST_F(Recurrent, ShipTheBitsTheyTrainedOnAtAnyBatchAndLength) {
  for_both([](auto net, const Wishes& w) {
    using Rnn = decltype(rnn_type(net));
    GraphModule graph = captured<Rnn>(*net, w);
    for (const char* preset : {"int8", "w4a8"}) {
      Prepared prepared =
          prepare(graph, QConfig::preset(preset), inputs_of<Rnn>(w, 3, 5), {.observe_steps = 2});
      train_steps(graph, 5, 0.05, [&] { return inputs_of<Rnn>(w, 8, 6); });
      ASSERT_EQ(prepared.state(), QuantizerState::kQuantizing);
      const QuantizedModel quantized = convert(graph, inputs_of<Rnn>(w, 3, 5));
      for (const std::int64_t batch : {1, 2, 9})
        for (const std::int64_t steps : {1, 4, 11})
          EXPECT_EQ(
              differing(graph, quantized, inputs_of<Rnn>(w, batch, steps), static_cast<int>(batch) % 3 + 1),
              0)
              << preset << ", batch " << batch << ", " << steps << " steps";
    }
  });
}

TEST_F(Recurrent, ShipAsFloatLayersWhereTheyAreSkipped) {
  for_both([](auto net, const Wishes& w) {
    using Rnn = decltype(rnn_type(net));
    GraphModule graph = captured<Rnn>(*net, w);
    QConfig config;
    LayerConfig skip;
    skip.skip = true;
    config.layers.emplace_back("rnn.hh_*", skip);
    prepare(graph, config, inputs_of<Rnn>(w, 3, 5), {.observe_steps = 1});
    train_steps(graph, 3, 0.05, [&] { return inputs_of<Rnn>(w, 8, 6); });
    const QuantizedModel quantized = convert(graph, inputs_of<Rnn>(w, 3, 5));
    for (const std::int64_t steps : {1, 7})
      EXPECT_EQ(differing(graph, quantized, inputs_of<Rnn>(w, 5, steps)), 0) << steps << " steps";
  });
}

TEST_F(Recurrent, StandBesideTheirParameters) {
  const auto net = make<nn::LSTM>({.bidirectional = true});
  GraphModule graph = captured<nn::LSTM>(*net, net->wishes);
  const auto names = graph->named_parameters().keys();
  const Prepared prepared = prepare(graph, QConfig::preset("w4a8"), inputs_of<nn::LSTM>(net->wishes, 3, 5));
  EXPECT_EQ(prepared.report(),
            "layer              kind    weight             input        result\n"
            "rnn.ih_l0          linear  int4 groups of 32  int8 affine  converted\n"
            "rnn.hh_l0          lstm    int4 groups of 32  int8 affine  converted\n"
            "rnn.ih_l0_reverse  linear  int4 groups of 32  int8 affine  converted\n"
            "rnn.hh_l0_reverse  lstm    int4 groups of 32  int8 affine  converted\n"
            "fc                 linear  int4 groups of 32  int8 affine  converted\n");
  EXPECT_EQ(graph->named_parameters().keys(), names);
}

TEST_F(Recurrent, MoveTheRangeOfTheStateOnceAForward) {
  const auto net = make<nn::GRU>({});
  GraphModule graph = captured<nn::GRU>(*net, {});
  Prepared prepared = prepare(graph, QConfig(), inputs_of<nn::GRU>({}, 3, 5), {.observe_steps = 2});
  graph->train();
  const auto state = [&] {
    return graph->named_modules("", false)["rnn.hh_l0"]->as<QATRecurrent>()->state();
  };
  graph->forward(inputs_of<nn::GRU>({}, 3, 9));
  EXPECT_EQ(state(), QuantizerState::kObserving);
  graph->forward(inputs_of<nn::GRU>({}, 3, 9));
  EXPECT_EQ(state(), QuantizerState::kQuantizing);
  const Tensor observed = graph->named_buffers()["rnn.hh_l0.input.observed"];
  EXPECT_EQ(observed.item<std::int64_t>(), 2);
  graph->forward(inputs_of<nn::GRU>({}, 3, 9));
  EXPECT_EQ(observed.item<std::int64_t>(), 3);
}

TEST_F(Recurrent, AreRefusedByNameWhereTheyProjectTheirState) {
  struct Projected : nn::Module {
    nn::LSTM rnn{nn::LSTMOptions(5, 7).proj_size(4)};
    nn::Linear fc{4, 2};
    Projected() {
      register_module("rnn", rnn);
      register_module("fc", fc);
    }
    Tensor forward(const Tensor& x) { return fc(std::get<0>(rnn(x))); }
  };
  Projected net;
  GraphModule graph = capture(net, Tensors{torch::randn({5, 3, 5})}, {.batch = {1}});
  const Prepared prepared = prepare(graph, QConfig(), Tensors{torch::randn({5, 3, 5})}, {.strict = false});
  EXPECT_THAT(prepared.report(), testing::HasSubstr("skipped (it projects its state (proj_size))\n"));
  EXPECT_THAT(prepared.report(), testing::HasSubstr("cannot ship\n  aten::lstm"));
}

TEST_F(Recurrent, NameAWrongShapeOfTheGates) {
  QATRecurrent layer(RecurrentOptions{.has_cells = false, .is_batch_first = true}, torch::randn({12, 4}),
                     torch::Tensor());
  layer->configure(LayerConfig(), "rnn.hh_l0", 1);
  EXPECT_EQ(error_of([&] {
              layer->forward(torch::randn({3, 5, 10}));
            }),
            "[gru] rnn.hh_l0: expected gates [batch, steps, 12] of at least one step, got [3, 5, 10]");
}

}  // namespace
}  // namespace samebits
