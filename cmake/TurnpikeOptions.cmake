# Compiler, warnings, sanitizers, linker and cache: what every target shares.

set(TURNPIKE_SANITIZE "" CACHE STRING "Sanitizers to build with, as -fsanitize= takes them")
option(TURNPIKE_FUZZ "Build the libFuzzer targets" OFF)

if(NOT CMAKE_CXX_COMPILER_ID STREQUAL "Clang" OR CMAKE_CXX_COMPILER_VERSION VERSION_LESS 19)
  message(FATAL_ERROR
    "Turnpike is built with clang 19 or later (g++ 12 miscompiles coroutines); found "
    "${CMAKE_CXX_COMPILER_ID} ${CMAKE_CXX_COMPILER_VERSION}. Use a preset, or ./run.sh --build-only.")
endif()

set(CMAKE_CXX_STANDARD 23)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_CXX_SCAN_FOR_MODULES OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE OFF)

find_program(TURNPIKE_CCACHE ccache)
if(TURNPIKE_CCACHE)
  # Precompiled headers are cacheable only with these settings (see ccache's manual, "Precompiled headers").
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CMAKE_COMMAND} -E env
    CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime
    CCACHE_BASEDIR=${CMAKE_SOURCE_DIR} CCACHE_NOHASHDIR=1 ${TURNPIKE_CCACHE})
endif()

add_compile_options(
  -Wall -Wextra -Wpedantic -Werror -Wshadow -Wconversion -Wno-sign-conversion -Wnon-virtual-dtor
  -Wold-style-cast -Wno-missing-designated-field-initializers -Wimplicit-fallthrough -Wextra-semi -Woverloaded-virtual -Wmissing-declarations
  -fno-omit-frame-pointer -ffile-prefix-map=${CMAKE_SOURCE_DIR}/=
  "SHELL:-Xclang -fno-pch-timestamp")
set(CMAKE_CXX_FLAGS_RELEASE "-O2 -gline-tables-only -DNDEBUG")
set(CMAKE_CXX_FLAGS_DEBUG "-O1 -g1")
add_link_options(-fuse-ld=lld-19)

if(TURNPIKE_SANITIZE)
  add_compile_options(-fsanitize=${TURNPIKE_SANITIZE} -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${TURNPIKE_SANITIZE})
endif()
if(TURNPIKE_FUZZ)
  add_compile_options(-fsanitize=fuzzer-no-link)
endif()
