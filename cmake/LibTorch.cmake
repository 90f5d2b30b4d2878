# Finds LibTorch without find_package(Torch), which needs a CUDA toolkit even for the CPU: the target
# samebits::torch. Looks at SAMEBITS_TORCH_DIR, then CMAKE_PREFIX_PATH (a libtorch folder or a site-packages),
# then the project's .venv. Also read by the installed package (samebitsConfig.cmake).
set(_torch_candidates ${SAMEBITS_TORCH_DIR})
set(SAMEBITS_TORCH_FROM "SAMEBITS_TORCH_DIR")
if(NOT SAMEBITS_TORCH_DIR)
  foreach(_prefix ${CMAKE_PREFIX_PATH})
    list(APPEND _torch_candidates ${_prefix} ${_prefix}/torch ${_prefix}/../..)
  endforeach()
  set(SAMEBITS_TORCH_FROM "CMAKE_PREFIX_PATH")
endif()
file(GLOB _venv_torch ${PROJECT_SOURCE_DIR}/.venv/lib/python3*/site-packages/torch)
list(APPEND _torch_candidates ${_venv_torch})
set(_torch_dir "")
foreach(_candidate ${_torch_candidates})
  if(EXISTS ${_candidate}/include/torch/csrc/api/include/torch/torch.h)
    get_filename_component(_torch_dir ${_candidate} ABSOLUTE)
    break()
  endif()
endforeach()
if(NOT _torch_dir)
  set(_way_out "pass -DSAMEBITS_TORCH_DIR=…/libtorch")
  if(EXISTS ${PROJECT_SOURCE_DIR}/tools/setup.sh)  # not where only the installed package is
    string(APPEND _way_out " or run tools/setup.sh")
  endif()
  message(FATAL_ERROR "[cmake] LibTorch: expected a folder with include/torch and lib/libtorch.so in one of "
                      "\"${_torch_candidates}\"; ${_way_out}")
endif()
if(_torch_dir IN_LIST _venv_torch)
  set(SAMEBITS_TORCH_FROM ".venv")
endif()
set(SAMEBITS_TORCH_DIR ${_torch_dir} CACHE PATH "LibTorch: a folder with include/ and lib/" FORCE)

if(NOT TARGET samebits::torch)
  add_library(samebits::torch INTERFACE IMPORTED)
  set_target_properties(samebits::torch PROPERTIES
    INTERFACE_INCLUDE_DIRECTORIES "${_torch_dir}/include;${_torch_dir}/include/torch/csrc/api/include"
    INTERFACE_LINK_LIBRARIES "${_torch_dir}/lib/libtorch.so;${_torch_dir}/lib/libtorch_cpu.so;${_torch_dir}/lib/libc10.so"
    # at::parallel_for is a template over OpenMP: compiled without, it runs on one thread and says nothing. The
    # library behind it, libgomp.so.1, is the one that libtorch_cpu.so loads.
    INTERFACE_COMPILE_OPTIONS "$<$<COMPILE_LANGUAGE:CXX>:-fopenmp>"
    # libtorch.so registers operators when it is loaded, so it must stay linked although nothing names it;
    # the CUDA libraries that libtorch_cpu.so itself needs are found at run time by its own RPATH.
    INTERFACE_LINK_OPTIONS "-fopenmp;-Wl,--no-as-needed,--allow-shlib-undefined,-rpath,${_torch_dir}/lib")
endif()
