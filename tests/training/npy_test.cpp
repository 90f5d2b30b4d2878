// training/readers/npy.h and npy_arrays.h.
#include "training/readers/npy.h"

#include <gmock/gmock.h>

#include <cmath>

#include "tests/training/data_files.h"
#include "training/readers/npy_arrays.h"

namespace samebits::training {
namespace {

using Npy = DataFolder;
using Floats = std::vector<float>;
using Integers = std::vector<std::int64_t>;

std::string header(const std::string& dtype, const std::string& shape, const std::string& order = "False") {
  return "{'descr': '" + dtype + "', 'fortran_order': " + order + ", 'shape': " + shape + ", }\n";
}

TEST_F(Npy, ReadsEveryTypeAndVersion) {
  const struct {
    std::string dtype, payload;
  } cases[] = {{"|u1", raw<std::uint8_t>({1, 2})}, {"|i1", raw<std::int8_t>({1, 2})},
               {"|b1", raw<std::uint8_t>({1, 2})}, {"<i2", raw<std::int16_t>({1, 2})},
               {"<i4", raw<std::int32_t>({1, 2})}, {"<i8", raw<std::int64_t>({1, 2})},
               {"<f4", raw<float>({1, 2})},        {"<f8", raw<double>({1, 2})}};
  for (const auto& c : cases)
    for (const char version : {'\1', '\2', '\3'}) {
      SCOPED_TRACE(c.dtype);
      const std::string path = write("x.npy", npy_bytes(header(c.dtype, "(2, 1)"), c.payload, version));
      const NpyArray array = read_npy(path);
      EXPECT_EQ(array.shape, (Integers{2, 1}));
      EXPECT_EQ(npy_reals(array, path), (Floats{1, 2}));
      EXPECT_EQ(npy_integers(array), (Integers{1, 2}));
    }
}

TEST_F(Npy, ReadsAHeaderInAnyOrderAndSpacing) {
  const std::string dictionary = "{ \"shape\":(3,),'fortran_order' : False,\n'descr':'|u1'}   \n";
  EXPECT_EQ(read_npy(write("x.npy", npy_bytes(dictionary, "abc"))).shape, Integers{3});
}

TEST_F(Npy, RefusesEverythingElse) {
  const std::string good = npy_bytes(header("<f4", "(2,)"), raw<float>({1, 2}));
  const struct {
    const char* why;
    std::string bytes;
    const char* error;
  } cases[] = {
      {"empty", "",
       "expected the magic \\x93NUMPY of an npy file, got an empty file; save it with numpy.save"},
      {"a zip", "PK\x03\x04",
       "expected the magic \\x93NUMPY of an npy file, got something else; save it with "
       "numpy.save"},
      {"version 9", npy_bytes(header("<f4", "(2,)"), "", 9),
       "expected version 1.0, 2.0 or 3.0 of the npy format, got 9.0; save it with numpy.save"},
      {"cut in the header", good.substr(0, 30),
       "expected a whole npy header, got the end of the file at byte 30; the file is truncated; copy it "
       "again"},
      {"cut in the payload", good.substr(0, good.size() - 1),
       "expected 8 bytes of [2] elements of <f4, got 7; the file is damaged; copy it again"},
      {"too long", good + "x",
       "expected 8 bytes of [2] elements of <f4, got 9; the file is damaged; copy it again"},
      {"complex", npy_bytes(header("<c8", "(1,)"), std::string(8, '\0')),
       "expected dtype |u1, |i1, |b1, <i2, <i4, <i8, <f4 or <f8, got <c8; convert it with astype"},
      {"big-endian", npy_bytes(header(">f4", "(1,)"), std::string(4, '\0')),
       "expected dtype |u1, |i1, |b1, <i2, <i4, <i8, <f4 or <f8, got >f4; convert it with astype"},
      {"objects", npy_bytes(header("|O", "(1,)"), ""),
       "expected dtype |u1, |i1, |b1, <i2, <i4, <i8, <f4 or <f8, got |O; convert it with astype"},
      {"a structure", npy_bytes("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,)}\n", ""),
       "expected dtype |u1, |i1, |b1, <i2, <i4, <i8, <f4 or <f8, got a list of fields; convert it with "
       "astype"},
      {"column-major", npy_bytes(header("<f4", "(2, 1)", "True"), std::string(8, '\0')),
       "expected row-major order, got fortran_order: True; save numpy.ascontiguousarray of it"},
      {"no elements", npy_bytes(header("<f4", "(0, 3)"), ""),
       "expected 1 to 4294967296 elements, got the shape [0, 3]; is it the right file?"},
      {"a product that overflows", npy_bytes(header("|u1", "(4294967296, 4294967296)"), ""),
       "expected 1 to 4294967296 elements, got the shape [4294967296, 4294967296]; is it the right file?"},
      {"a single number", npy_bytes(header("<f4", "()"), std::string(4, '\0')),
       "expected an array of examples, got a single number; is it the right file?"},
      {"no dictionary", npy_bytes("descr\n", ""),
       "expected a header of descr, fortran_order and shape, got \"descr\n\"; save it with numpy.save"},
      {"a key less", npy_bytes("{'descr': '<f4', 'shape': (1,)}\n", ""),
       "expected a header of descr, fortran_order and shape, got \"{'descr': '<f4', 'shape': (1,)}\n\"; save "
       "it with "
       "numpy.save"},
      {"a negative size", npy_bytes(header("<f4", "(-1,)"), ""),
       "expected a header of descr, fortran_order and shape, got \"{'descr': '<f4', 'fortran_order': False, "
       "'shape': "
       "(-1,), }\n\"; save it with numpy.save"},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(c.why);
    EXPECT_EQ(error_in_folder([&] { read_npy(write("x.npy", c.bytes)); }),
              std::string("[data] DIR/x.npy: ") + c.error);
  }
}

TEST_F(Npy, RefusesNumbersThatAreNotFinite) {
  const std::string nan = write("nan.npy", npy_of<float>("<f4", "(3,)", {0, 1, std::nanf("")}));
  EXPECT_EQ(error_in_folder([&] { npy_reals(read_npy(nan), nan); }),
            "[data] DIR/nan.npy: expected finite numbers that float32 can hold, got nan at element 2; "
            "replace or remove "
            "it");
  const std::string large = write("large.npy", npy_of<double>("<f8", "(2,)", {0, 1e39}));
  EXPECT_EQ(error_in_folder([&] { npy_reals(read_npy(large), large); }),
            "[data] DIR/large.npy: expected finite numbers that float32 can hold, got inf at element 1; "
            "replace or remove "
            "it");
}

class NpyArrays : public DataFolder {
 protected:
  Arrays read(const std::string& x, const std::string& y, const NpyOptions& options = {}) {
    write("x.npy", x);
    write("y.npy", y);
    return read_npy_folder(folder_, "", options);
  }
};

TEST_F(NpyArrays, KeepsBytesAsBytesAndTellsTargetsByTheirType) {
  const std::string x = npy_of<std::uint8_t>("|u1", "(2, 1, 1, 2)", {1, 2, 3, 4});
  const Arrays classes = read(x, npy_of<std::int32_t>("<i4", "(2,)", {2, 0}));
  EXPECT_EQ(classes.shape, (Integers{1, 1, 2}));
  EXPECT_EQ(classes.bytes, (std::vector<std::uint8_t>{1, 2, 3, 4}));
  EXPECT_EQ(classes.labels, (Integers{2, 0}));
  EXPECT_EQ(classes.outputs, 3);
  const Arrays reals = read(x, npy_of<double>("<f8", "(2, 2)", {1, 2, 3, 4}));
  EXPECT_EQ(reals.target, TargetKind::kReals);
  EXPECT_EQ(reals.values, (Floats{1, 2, 3, 4}));
  EXPECT_EQ(reals.outputs, 2);
  const Arrays whole = read(x, npy_of<std::int32_t>("<i4", "(2,)", {2, 0}), {.kind = TargetKind::kReals});
  EXPECT_EQ(whole.values, (Floats{2, 0}));
}

TEST_F(NpyArrays, NamesTheFileOfWhatIsWrong) {
  const std::string x = npy_of<float>("<f4", "(2, 3)", {1, 2, 3, 4, 5, 6});
  const Arrays train = read(x, npy_of<std::int64_t>("<i8", "(2,)", {0, 1}));
  const struct {
    std::string x, y;
    NpyOptions options;
    const char* error;
  } cases[] = {
      {npy_of<float>("<f4", "(2,)", {1, 2}),
       "",
       {},
       "x.npy: expected examples [n, features], [n, length, features] or [n, channels, height, width], got "
       "[2]; reshape "
       "the array"},
      {x,
       npy_of<float>("<f4", "(3,)", {1, 2, 3}),
       {},
       "y.npy: expected 2 targets, one an example, got 3; the two files belong to different sets"},
      {x,
       npy_of<float>("<f4", "(2, 1, 1)", {1, 2}),
       {},
       "y.npy: expected targets [n] or [n, outputs], got [2, 1, 1]; reshape the array"},
      {x,
       npy_of<std::int64_t>("<i8", "(2, 1)", {1, 0}),
       {.kind = TargetKind::kClasses},
       "y.npy: expected classes [n], got [2, 1]; reshape the array"},
      {x,
       npy_of<float>("<f4", "(2,)", {1, 2}),
       {.kind = TargetKind::kClasses},
       "y.npy: expected classes, as integers, got <f4; convert it with astype, or set task.loss to mse"},
      {x,
       npy_of<std::int64_t>("<i8", "(2,)", {0, -1}),
       {},
       "y.npy: expected classes in 0..65535, got -1 at element 1; number them from 0"},
      {x,
       npy_of<std::int64_t>("<i8", "(2,)", {0, 2}),
       {.training = &train},
       "y.npy: expected classes in 0..1, got 2 at element 1; training has no such class"},
  };
  for (const auto& c : cases)
    EXPECT_EQ(error_in_folder([&] { read(c.x, c.y, c.options); }), std::string("[data] DIR/") + c.error);
}

}  // namespace
}  // namespace samebits::training
