# The files of the operators that graph/operators.inc lists: samebits_operator_sources(VARIABLE FOLDER) sets VARIABLE to
# FOLDER/<theme>/<name>.cpp of each.
set(operator_list ${PROJECT_SOURCE_DIR}/graph/operators.inc)
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${operator_list})
function(samebits_operator_sources variable folder)
  file(STRINGS ${operator_list} lines REGEX "^SAMEBITS_OPERATOR")
  list(TRANSFORM lines REPLACE "^SAMEBITS_OPERATOR\\(([a-z0-9_]+), ([a-z0-9_]+)\\)$" "${folder}/\\1/\\2.cpp")
  set(${variable} ${lines} PARENT_SCOPE)
endfunction()
