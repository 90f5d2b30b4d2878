// training/readers/csv.h and csv_arrays.h: what RFC 4180 allows is read, everything else is refused by row
// and column.
#include "training/readers/csv.h"

#include <gmock/gmock.h>

#include "tests/training/data_files.h"
#include "training/readers/csv_arrays.h"

namespace samebits::training {
namespace {

using Texts = std::vector<std::string>;
using Csv = DataFolder;

TEST_F(Csv, ReadsWhatTheFormatAllows) {
  const struct {
    const char* why;
    std::string text;
    Texts columns, cells;
    std::vector<std::int64_t> lines;
  } cases[] = {
      {"the usual file", "a,b\n1,2\n3,4\n", {"a", "b"}, {"1", "2", "3", "4"}, {2, 3}},
      {"no line end at the end", "a,b\n1,2", {"a", "b"}, {"1", "2"}, {2}},
      {"lines that end in CR LF", "a,b\r\n1,2\r\n3,4\r\n", {"a", "b"}, {"1", "2", "3", "4"}, {2, 3}},
      {"a comma and quotes in a quoted cell",
       "a,b\n\"x, \"\"y\"\"\",2\n",
       {"a", "b"},
       {"x, \"y\"", "2"},
       {2}},
      {"a line end in a quoted cell", "a,b\n\"x\ny\",2\n3,4\n", {"a", "b"}, {"x\ny", "2", "3", "4"}, {2, 4}},
      {"a quoted header", "\"a,b\",c\n1,2\n", {"a,b", "c"}, {"1", "2"}, {2}},
      {"empty lines", "a,b\n\n1,2\n\r\n3,4\n\n", {"a", "b"}, {"1", "2", "3", "4"}, {3, 5}},
      {"blanks around bare cells", "a , b\n 1,\t2 \n", {"a", "b"}, {"1", "2"}, {2}},
      {"a byte order mark",
       "\xEF\xBB\xBF"
       "a,b\n1,2\n",
       {"a", "b"},
       {"1", "2"},
       {2}},
      {"empty cells, whose meaning is not decided here", "a,b\n,\"\"\n", {"a", "b"}, {"", ""}, {2}},
      {"one column", "a\n1\n", {"a"}, {"1"}, {2}},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(c.why);
    const CsvTable table = read_csv(write("t.csv", c.text), /*has_header=*/true);
    EXPECT_EQ(table.columns, c.columns);
    EXPECT_EQ(table.cells, c.cells);
    EXPECT_EQ(table.lines, c.lines);
  }
}

TEST_F(Csv, CountsTheColumnsOfATableWithoutAHeader) {
  const CsvTable table = read_csv(write("t.csv", "5,6\n7,8\n"), /*has_header=*/false);
  EXPECT_EQ(table.columns, (Texts{"1", "2"}));
  EXPECT_EQ(table.cells, (Texts{"5", "6", "7", "8"}));
}

TEST_F(Csv, RefusesWhatItDoesNotAllow) {
  const struct {
    std::string text;
    const char* error;
  } cases[] = {
      {"", "DIR/t.csv: expected a header and at least one row, got none; is it the right file?"},
      {"\n\n", "DIR/t.csv: expected a header and at least one row, got none; is it the right file?"},
      {"a,b\n",
       "DIR/t.csv: expected a header and at least one row, got a header alone; is it the right file?"},
      {"a,b\n1,2\n1,2,3\n",
       "DIR/t.csv:3: expected 2 cells, as the first row has, got 3; a cell that holds a comma stands in "
       "quotes"},
      {"a,b\n1\n1,2\n",
       "DIR/t.csv:2: expected 2 cells, as the first row has, got 1; a cell that holds a comma stands in "
       "quotes"},
      {"a,b\n1,2\n3",
       "DIR/t.csv:3: expected 2 cells, as the first row has, got 1; a cell that holds a comma stands in "
       "quotes"},
      {"a,b\n1,2\n\"3,4\n5,6\n",
       "DIR/t.csv:3: expected a quote at the end of the cell that begins with one, got the end of the file; "
       "close the "
       "quote, or copy the file again"},
      {"a,b\n1,2\"3\n",
       "DIR/t.csv:2: expected cells by RFC 4180, got a quote in the middle of one; put the whole cell in "
       "quotes and "
       "double those inside"},
      {"a,b\n1,\"2\"3\n",
       "DIR/t.csv:2: expected cells by RFC 4180, got a quote in the middle of one; put the whole cell in "
       "quotes and "
       "double those inside"},
      {"a,a\n1,2\n",
       "DIR/t.csv:1: expected a header that names each column once, got \"a\" twice; rename a column"},
      {"a,\n1,2\n",
       "DIR/t.csv:1: expected a header that names each column once, got an empty name; rename a column"},
      {"1,2\n3,4\n",
       "DIR/t.csv:1: expected a header of names, got numbers; write one, or set data.header to false"},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(c.text);
    EXPECT_EQ(error_in_folder([&] { read_csv(write("t.csv", c.text), true); }),
              std::string("[data] ") + c.error);
  }
  EXPECT_EQ(error_in_folder([&] { read_csv(folder_ / "none.csv", true); }),
            "[data] DIR/none.csv: expected a CSV file, got no such file; check the path");
}

class CsvArrays : public DataFolder {
 protected:
  Arrays read(const std::string& text, const CsvOptions& options = {}) {
    return csv_arrays(read_csv(write("t.csv", text), true), options);
  }
};

TEST_F(CsvArrays, TakesTheLastColumnAsTheTarget) {
  const Arrays arrays = read("a,b,c\n1.5,2,x\n-3e2,4,y\n.5,+6,x\n");
  EXPECT_EQ(arrays.count, 3);
  EXPECT_EQ(arrays.shape, std::vector<std::int64_t>{2});
  EXPECT_EQ(arrays.reals, (std::vector<float>{1.5f, 2, -300, 4, 0.5f, 6}));
  EXPECT_EQ(arrays.target, TargetKind::kClasses);
  EXPECT_EQ(arrays.classes, (Texts{"x", "y"}));
  EXPECT_EQ(arrays.labels, (std::vector<std::int64_t>{0, 1, 0}));
  EXPECT_EQ(arrays.outputs, 2);
}

TEST_F(CsvArrays, OrdersClassesByNameAndNumbersBySize) {
  EXPECT_EQ(read("a,b\n1,red\n2,blue\n3,red\n").classes, (Texts{"blue", "red"}));
  const Arrays arrays = read("a,b\n1,10\n2,9\n3,-1\n");
  EXPECT_EQ(arrays.classes, (Texts{"-1", "9", "10"}));
  EXPECT_EQ(arrays.labels, (std::vector<std::int64_t>{2, 1, 0}));
}

TEST_F(CsvArrays, TellsRealTargetsByTheirLooksOrAsItIsTold) {
  EXPECT_EQ(read("a,b\n1,0.5\n2,3\n").target, TargetKind::kReals);
  const Arrays whole = read("a,b\n1,2\n2,3\n", {.target = {}, .kind = TargetKind::kReals});
  EXPECT_EQ(whole.values, (std::vector<float>{2, 3}));
  const Arrays two = read("y,a,z\n1,2,3\n4,5,6\n", {.target = {"z", "y"}});
  EXPECT_EQ(two.reals, (std::vector<float>{2, 5}));
  EXPECT_EQ(two.values, (std::vector<float>{3, 1, 6, 4}));
  EXPECT_EQ(two.outputs, 2);
}

TEST_F(CsvArrays, NumbersTheClassesOfATestPartAsTrainingDoes) {
  const Arrays train = read("a,b\n1,x\n2,y\n3,z\n");
  const Arrays test = read("a,b\n1,z\n2,x\n", {.target = {}, .training = &train});
  EXPECT_EQ(test.labels, (std::vector<std::int64_t>{2, 0}));
  EXPECT_EQ(test.outputs, 3);
}

TEST_F(CsvArrays, NamesRowAndColumnOfWhatIsWrong) {
  const Arrays train = read("a,b\n1,x\n2,y\n");
  const struct {
    std::string text;
    CsvOptions options;
    const char* error;
  } cases[] = {
      {"a,b,c\n1,2,x\n3,,y\n",
       {},
       "DIR/t.csv:3: b: expected a number, got an empty cell; fill it in or remove the row"},
      {"a,b,c\n1,2,x\n3,red,y\n",
       {},
       "DIR/t.csv:3: b: expected a finite number, got \"red\"; write numbers as 1.5 or 2e-3; columns of "
       "words can only "
       "be the target"},
      {"a,c\n1;5,x\n3,y\n",
       {},
       "DIR/t.csv:2: a: expected a finite number, got \"1;5\"; write numbers as 1.5 or 2e-3; columns of "
       "words can only "
       "be the target"},
      {"a,c\n1,x\ninf,y\n",
       {},
       "DIR/t.csv:3: a: expected a finite number, got \"inf\"; write numbers as 1.5 or 2e-3; columns of "
       "words can only "
       "be the target"},
      {"a,c\n1,x\n2,\n",
       {},
       "DIR/t.csv:3: c: expected a class, got an empty cell; fill it in or remove the row"},
      {"a,c\n1,x\n2,x\n",
       {},
       "DIR/t.csv: c: expected at least 2 classes, got \"x\" alone; is it the right column?"},
      {"a,class\n1,x\n2,y\n",
       {.target = {"classes"}},
       "DIR/t.csv: expected the target column \"classes\", got none of that name; did you mean \"class\"?"},
      {"c\nx\ny\n", {}, "DIR/t.csv: expected columns besides the target, got none; is data.target right?"},
      {"a,b,c\n1,2,x\n2,3,y\n",
       {.target = {"b", "c"}, .kind = TargetKind::kClasses},
       "DIR/t.csv: expected one target column of classes, got 2; name one in data.target, or set task.loss "
       "to mse or "
       "bce"},
      {"a,c\n1,2.5\n2,\n",
       {.target = {}, .kind = TargetKind::kReals},
       "DIR/t.csv:3: c: expected a number, got an empty cell; fill it in or remove the row"},
      {"a,b\n1,x\n2,w\n",
       {.target = {}, .training = &train},
       "DIR/t.csv:3: b: expected a class that the training rows have, got \"w\"; correct or remove the row"},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(c.text);
    EXPECT_EQ(error_in_folder([&] { read(c.text, c.options); }), std::string("[data] ") + c.error);
  }
}

}  // namespace
}  // namespace samebits::training
