// The part of the Python module that corrects pixels.
#pragma once

#include <nanobind/nanobind.h>

void define_light(nanobind::module_& module);
