// The part of the Python module that counts windows.
#pragma once

#include <nanobind/nanobind.h>

void define_counts(nanobind::module_& module);
