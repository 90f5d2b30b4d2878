# cmake --install: headers, libraries, and the package that find_package(samebits) reads. Two sets of targets, so that
# a program that only runs packages needs no LibTorch. Component `runtime` is that part, of which `make package` makes
# a Debian package and an archive that may be unpacked anywhere; `torch` is the rest.
include(CMakePackageConfigHelpers)
set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/samebits)

install(TARGETS samebits_flags samebits_kernels samebits_quant samebits_io samebits_graph samebits_runtime EXPORT samebitsRuntimeTargets
  ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT runtime)
install(TARGETS samebits_c EXPORT samebitsRuntimeTargets
  LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT runtime NAMELINK_COMPONENT runtime)
install(EXPORT samebitsRuntimeTargets NAMESPACE samebits:: DESTINATION ${package_dir} COMPONENT runtime)
if(SAMEBITS_TORCH)
  install(TARGETS samebits_ops samebits_lib EXPORT samebitsTorchTargets
    LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT torch)
  # libsamebits.so finds libsamebits_ops.so beside itself, wherever both are put.
  set_target_properties(samebits_ops samebits_lib PROPERTIES INSTALL_RPATH "$ORIGIN")
  install(EXPORT samebitsTorchTargets NAMESPACE samebits:: DESTINATION ${package_dir} COMPONENT torch)
  install(FILES cmake/LibTorch.cmake DESTINATION ${package_dir} COMPONENT torch)
  # What `import samebits` loads, and what samebits verify runs ONNX files with (torch_ext/onnx_process.cpp finds it here).
  install(DIRECTORY python/samebits DESTINATION ${CMAKE_INSTALL_LIBDIR}/samebits/python COMPONENT torch
    FILES_MATCHING PATTERN "*.py" PATTERN "*.pyi" PATTERN "py.typed" PATTERN "__pycache__" EXCLUDE)
  install(FILES version.txt DESTINATION ${CMAKE_INSTALL_LIBDIR}/samebits/python/samebits COMPONENT torch)
endif()

# The public headers, and what they include of the layers.
function(samebits_install_headers component)
  install(CODE "set(SOURCE_DIR \"${PROJECT_SOURCE_DIR}\")
set(HEADERS \"${ARGN}\")
set(DESTINATION \"\${CMAKE_INSTALL_PREFIX}/${CMAKE_INSTALL_INCLUDEDIR}\")" COMPONENT ${component})
  install(SCRIPT cmake/InstallHeaders.cmake COMPONENT ${component})
endfunction()
samebits_install_headers(runtime runtime.h interpreter.h)
if(SAMEBITS_TORCH)
  samebits_install_headers(torch samebits.h plugin.h)
endif()

if(TARGET samebits_run)
  install(TARGETS samebits_run RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR} COMPONENT runtime)
endif()
if(TARGET samebits_cli)
  set_target_properties(samebits_cli PROPERTIES INSTALL_RPATH "$ORIGIN/../${CMAKE_INSTALL_LIBDIR}")
  install(TARGETS samebits_cli RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR} COMPONENT torch)
endif()

configure_package_config_file(cmake/samebitsConfig.cmake.in ${PROJECT_BINARY_DIR}/samebitsConfig.cmake
  INSTALL_DESTINATION ${package_dir})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/samebitsConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/samebitsConfig.cmake ${PROJECT_BINARY_DIR}/samebitsConfigVersion.cmake
  DESTINATION ${package_dir} COMPONENT runtime)

# cpack: samebits-runtime as .deb and .tar.gz. It holds no RUNPATH, and its CMake package finds itself.
set(CMAKE_SKIP_INSTALL_ALL_DEPENDENCY ON)  # cpack would build the tests too
set(CPACK_GENERATOR DEB TGZ)
set(CPACK_PACKAGE_NAME samebits)
set(CPACK_PACKAGE_VENDOR samebits)
set(CPACK_PACKAGE_CONTACT "samebits <samebits@localhost>")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "runs quantized models with the bits that they were trained with")
set(CPACK_RESOURCE_FILE_LICENSE ${PROJECT_SOURCE_DIR}/LICENSE)
set(CPACK_PACKAGE_DIRECTORY ${PROJECT_BINARY_DIR}/packages)
set(CPACK_COMPONENTS_ALL runtime)
set(CPACK_STRIP_FILES ON)
set(CPACK_ARCHIVE_COMPONENT_INSTALL ON)
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_DEBIAN_RUNTIME_PACKAGE_NAME samebits-runtime)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION libdevel)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
include(CPack)
