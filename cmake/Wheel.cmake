# What pip install puts beside the Python files of samebits: the libraries, which find each other in their own folder and
# LibTorch in the process that imports them. With SAMEBITS_PREBUILT those of a build that is there.
set(libraries libsamebits_ops.so libsamebits.so libsamebits_python.so)
if(SAMEBITS_PREBUILT)
  get_filename_component(prebuilt ${SAMEBITS_PREBUILT} ABSOLUTE BASE_DIR ${PROJECT_SOURCE_DIR})
  add_custom_target(samebits_python)
  foreach(library ${libraries})
    if(NOT EXISTS ${prebuilt}/lib/${library})
      message(FATAL_ERROR "[cmake] SAMEBITS_PREBUILT: expected ${prebuilt}/lib/${library}, found none; run make build")
    endif()
    install(PROGRAMS ${prebuilt}/lib/${library} DESTINATION samebits COMPONENT python)
    install(CODE "file(RPATH_SET FILE \"\$ENV{DESTDIR}\${CMAKE_INSTALL_PREFIX}/samebits/${library}\" NEW_RPATH \"\$ORIGIN\")"
      COMPONENT python)
  endforeach()
else()
  set_target_properties(samebits_ops samebits_lib samebits_python PROPERTIES INSTALL_RPATH "$ORIGIN")
  install(TARGETS samebits_ops samebits_lib samebits_python LIBRARY DESTINATION samebits COMPONENT python)
endif()
install(FILES version.txt DESTINATION samebits COMPONENT python)
