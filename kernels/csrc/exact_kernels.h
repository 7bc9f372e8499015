// Chooses the form of a task for one instruction set.
#pragma once

#include "exact_form.h"
#include "finish_form.h"

namespace {

template <class Form, class Finish, class Keys>
linescan::ExactKernel exact_kernel_of() {
  return {&Form::parts, &Form::bytes, &Form::add, &Finish::bytes, &Finish::run, Keys::kBias};
}

// Means are no bytes, whatever the keys are.
template <class Simd, class Bytes, class Words, int kSide>
linescan::ExactKernel exact_kernel_of_side(const linescan::ExactTask& task) {
  using Finish = FinishForm<kSide>;
  using Whole = ByteErrors<Simd, kSide>;
  using Floats = FloatErrors<Simd, kSide>;
  using Means = MeanErrors<Simd, kSide>;
  if (task.ties == linescan::Ties::kMean) {
    return task.bytes
               ? exact_kernel_of<ExactForm<Simd, Bytes, Means, kSide, true>, Finish, Bytes>()
               : exact_kernel_of<ExactForm<Simd, Words, Means, kSide, true>, Finish, Words>();
  }
  return task.bytes
             ? exact_kernel_of<ExactForm<Simd, Bytes, Whole, kSide, false>, Finish, Bytes>()
             : exact_kernel_of<ExactForm<Simd, Words, Floats, kSide, false>, Finish, Words>();
}

template <class Simd, class Bytes, class Words>
linescan::ExactKernel exact_kernel_for(const linescan::ExactTask& task) {
  switch (task.side) {
    case 3:
      return exact_kernel_of_side<Simd, Bytes, Words, 3>(task);
    case 5:
      return exact_kernel_of_side<Simd, Bytes, Words, 5>(task);
    case 7:
      return exact_kernel_of_side<Simd, Bytes, Words, 7>(task);
    case 9:
      return exact_kernel_of_side<Simd, Bytes, Words, 9>(task);
    case 11:
      return exact_kernel_of_side<Simd, Bytes, Words, 11>(task);
    default:
      return {};
  }
}

}  // namespace
