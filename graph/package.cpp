// How a folder is written, replaced and read as a whole.
#include "graph/package.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <cstdio>
#include <limits>
#include <utility>

#include "graph/package_arrays.h"
#include "graph/package_json.h"
#include "io/error.h"
#include "io/json.h"
#include "io/posix.h"
#include "io/regular_file.h"
#include "io/safetensors.h"
#include "io/sha256.h"

namespace samebits::graph {
namespace {

constexpr const char* kGraphFile = "graph.json";
constexpr const char* kCodesFile = "codes.safetensors";
constexpr const char* kSumsFile = "SHA256SUMS";
constexpr std::uint64_t kMaxGraphBytes = 16 << 20;
constexpr std::uint64_t kMaxSumsBytes = 4096;

/// As sha256sum writes and checks it.
std::string sums_of(const std::string& codes, const std::string& json) {
  return io::sha256(codes) + "  " + kCodesFile + "\n" + io::sha256(json) + "  " + kGraphFile + "\n";
}

/// "net.samebits/" and "net.samebits" are one folder.
std::filesystem::path without_slash(const std::filesystem::path& folder) {
  return folder.has_filename() ? folder : folder.parent_path();
}

/// Nothing of the user's may be lost: only a package, or an empty folder, is replaced.
void check_replaceable(const std::filesystem::path& folder) {
  std::error_code error;
  if (!std::filesystem::exists(std::filesystem::symlink_status(folder, error))) return;
  const bool is_package = std::filesystem::exists(folder / kGraphFile, error);
  const bool is_empty =
      std::filesystem::is_directory(folder, error) && std::filesystem::is_empty(folder, error);
  if (!is_package && !is_empty)
    io::fail("[package] ", folder.string(),
             ": expected a package or nothing to replace, got something else; choose another name");
}

/// Renames `fresh` to `folder`. What stood there is at `fresh` afterwards. Returns false, with errno set,
/// when it failed.
bool swap_in(const std::filesystem::path& fresh, const std::filesystem::path& folder) {
  // To an unused name, or onto an empty folder.
  if (std::rename(fresh.c_str(), folder.c_str()) == 0) return true;
  if (errno != ENOTEMPTY && errno != EEXIST) return false;
  if (::renameat2(AT_FDCWD, fresh.c_str(), AT_FDCWD, folder.c_str(), RENAME_EXCHANGE) == 0) return true;
  if (errno != EINVAL && errno != ENOSYS) return false;
  // The file system cannot exchange: the old one steps aside, and comes back when the new one fails.
  const std::filesystem::path old = io::temporary_beside(folder);
  if (std::rename(folder.c_str(), old.c_str()) != 0) return false;
  const bool is_renamed = std::rename(fresh.c_str(), folder.c_str()) == 0;
  const int cause = errno;
  std::rename(old.c_str(), is_renamed ? fresh.c_str() : folder.c_str());
  errno = cause;
  return is_renamed;
}

/// A folder that is gone when the guard ends.
struct TemporaryFolder {
  std::filesystem::path path;
  ~TemporaryFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path, ignored);
  }
};

struct Files {
  std::string json, codes, sums;
};

/// The folder, opened: a package that is replaced meanwhile is read as it was.
io::Descriptor open_package(const std::filesystem::path& folder) {
  const int fd = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) io::fail("[package] ", folder.string(), ": ", std::generic_category().message(errno));
  return {fd, folder};
}

bool has_sums(const io::Descriptor& opened) {
  return ::faccessat(opened.get(), kSumsFile, F_OK, 0) == 0;
}

/// Without sums when there are none.
Files read_files(const std::filesystem::path& folder) {
  const io::Descriptor opened = open_package(folder);
  const auto read = [&](const char* name, std::uint64_t max_bytes) {
    return io::RegularFile(opened.get(), name, folder / name, "package").read_all(max_bytes);
  };
  Files files;
  files.json = read(kGraphFile, kMaxGraphBytes);
  files.codes = read(kCodesFile, std::numeric_limits<std::uint64_t>::max());
  if (has_sums(opened)) files.sums = read(kSumsFile, kMaxSumsBytes);
  return files;
}

/// Version 1 had no sums.
void check_sums(const Files& files, const nlohmann::json& json, const std::filesystem::path& folder) {
  const bool is_v1 = json.is_object() && json.contains("version") && json["version"] == 1;
  if (is_v1 && files.sums.empty()) return;
  if (files.sums.empty())
    io::fail("[package] ", (folder / kSumsFile).string(), ": expected the sums of ", kCodesFile, " and ",
             kGraphFile, ", got none");
  if (files.sums != sums_of(files.codes, files.json))
    io::fail("[package] ", folder.string(), ": expected files with the sums of ", kSumsFile,
             ", got others; they are damaged, or not of one package");
}

/// In a new folder, `fresh`; files with the modes of those that they replace in `folder`.
void write_files(const std::filesystem::path& fresh, const std::filesystem::path& folder,
                 const Files& files) {
  struct stat earlier_folder = {};  // keeps_mode() opens the new one when it is whole
  const mode_t mode = ::stat(folder.c_str(), &earlier_folder) == 0 ? 0700 : 0777;
  if (::mkdir(fresh.c_str(), mode) != 0) io::fail_write(folder, errno);
  const auto write = [&](const char* name, const std::string& text) {
    struct stat earlier = {};
    const bool exists = ::stat((folder / name).c_str(), &earlier) == 0;
    io::write_new_file(fresh / name, text, folder / name, exists ? &earlier : nullptr);
  };
  write(kGraphFile, files.json);
  write(kCodesFile, files.codes);
  write(kSumsFile, files.sums);
}

/// Gives a new folder the mode of the one that it will replace, if there is one.
bool keeps_mode(const io::Descriptor& fresh, const std::filesystem::path& folder) {
  struct stat earlier = {};
  return ::stat(folder.c_str(), &earlier) != 0 || io::give_mode(fresh.get(), earlier);
}

}  // namespace

void save_package(const Graph& graph, const std::filesystem::path& folder_in) {
  check(graph);
  const std::filesystem::path folder = io::link_target(without_slash(folder_in));
  check_replaceable(folder);
  PackageText text;
  try {
    text = to_text(graph);
  } catch (const nlohmann::json::exception& error) {
    io::fail("[package] ", folder.string(), ": expected names in UTF-8, got ", io::shortened(error.what()));
  }
  if (text.json.size() > kMaxGraphBytes)
    io::fail("[package] ", (folder / kGraphFile).string(), ": expected at most ", kMaxGraphBytes,
             " bytes, got ", text.json.size(), "; split the model");
  const std::string codes = io::safetensors_bytes(text.arrays, folder / kCodesFile);
  const io::Descriptor parent = io::open_folder_of(folder);
  const TemporaryFolder fresh{io::temporary_beside(folder)};
  write_files(fresh.path, folder, {text.json, codes, sums_of(codes, text.json)});
  const io::Descriptor inside = io::open_folder_of(fresh.path / kGraphFile);
  if (!keeps_mode(inside, folder) || ::fsync(inside.get()) != 0 || !swap_in(fresh.path, folder) ||
      ::fsync(parent.get()) != 0)
    io::fail_write(folder, errno);
}

Graph load_package(const std::filesystem::path& folder_in) {
  const std::filesystem::path folder = without_slash(folder_in);
  const Files files = read_files(folder);
  std::string where = (folder / kGraphFile).string();
  try {
    const nlohmann::json json = io::parse_json(files.json);
    check_sums(files, json, folder);
    io::SafetensorsFile arrays = io::parse_safetensors(files.codes, folder / kCodesFile);
    Graph graph = graph_of(json, arrays);
    where = folder.string();
    checked_types(graph);
    return graph;
  } catch (const io::JsonError& error) {
    io::fail("[package] ", where, ": ", error.what());
  } catch (const ArraysError& error) {
    io::fail("[package] ", (folder / kCodesFile).string(), ": ", error.what());
  } catch (const GraphError& error) {
    io::fail("[package] ", where, ": ", error.what());
  }
}

std::uintmax_t package_bytes(const std::filesystem::path& folder_in) {
  const std::filesystem::path folder = without_slash(folder_in);
  const io::Descriptor opened = open_package(folder);
  std::uintmax_t bytes = 0;
  for (const char* name : {kGraphFile, kCodesFile, kSumsFile})
    if (name != kSumsFile || has_sums(opened))
      bytes += io::RegularFile(opened.get(), name, folder / name, "package").size();
  return bytes;
}

}  // namespace samebits::graph
