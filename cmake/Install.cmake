# cmake --install: headers, libraries, and the package that find_package(samebits) reads. Two sets of targets, so that
# a program that only runs packages needs no LibTorch.
include(CMakePackageConfigHelpers)
set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/samebits)

install(TARGETS samebits_flags samebits_kernels samebits_quant samebits_io samebits_graph samebits_runtime EXPORT samebitsRuntimeTargets
  ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(TARGETS samebits_c EXPORT samebitsRuntimeTargets LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(EXPORT samebitsRuntimeTargets NAMESPACE samebits:: DESTINATION ${package_dir})
set(public_headers runtime.h interpreter.h)
if(SAMEBITS_TORCH)
  install(TARGETS samebits_ops samebits_lib EXPORT samebitsTorchTargets
    LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
  # libsamebits.so finds libsamebits_ops.so beside itself, wherever both are put.
  set_target_properties(samebits_ops samebits_lib PROPERTIES INSTALL_RPATH "$ORIGIN")
  install(EXPORT samebitsTorchTargets NAMESPACE samebits:: DESTINATION ${package_dir})
  install(FILES cmake/LibTorch.cmake DESTINATION ${package_dir})
  list(APPEND public_headers samebits.h plugin.h)
  # What `import samebits` loads, and what samebits verify runs ONNX files with (torch_ext/onnx_process.cpp finds it here).
  install(FILES python/samebits/__init__.py python/samebits/__main__.py python/samebits/onnx_runner.py version.txt
    DESTINATION ${CMAKE_INSTALL_LIBDIR}/samebits/python/samebits)
endif()

install(CODE "set(SOURCE_DIR \"${PROJECT_SOURCE_DIR}\")
set(HEADERS \"${public_headers}\")
set(DESTINATION \"\${CMAKE_INSTALL_PREFIX}/${CMAKE_INSTALL_INCLUDEDIR}\")")
install(SCRIPT cmake/InstallHeaders.cmake)

if(TARGET samebits_run)
  install(TARGETS samebits_run RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
endif()
if(TARGET samebits_cli)
  set_target_properties(samebits_cli PROPERTIES INSTALL_RPATH "$ORIGIN/../${CMAKE_INSTALL_LIBDIR}")
  install(TARGETS samebits_cli RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
endif()

configure_package_config_file(cmake/samebitsConfig.cmake.in ${PROJECT_BINARY_DIR}/samebitsConfig.cmake
  INSTALL_DESTINATION ${package_dir})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/samebitsConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/samebitsConfig.cmake ${PROJECT_BINARY_DIR}/samebitsConfigVersion.cmake
  DESTINATION ${package_dir})
