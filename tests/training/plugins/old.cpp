// A plug-in of another version.
extern "C" __attribute__((visibility("default"))) const char* samebits_plugin_version() {
  return "samebits plug-in 0, LibTorch 1.0";
}
