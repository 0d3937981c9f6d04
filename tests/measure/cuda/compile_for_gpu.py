"""Compile the CUDA kernels for a GPU that need not be there: run by test_kernel.py.

The interpreter runs kernels as NumPy; only the compiler sees wrong types, and what a GPU lacks.
"""

import sys

import triton.language as tl
from triton import compile as compile_kernel
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource

from layerscope.measure.cuda import kernel, transfer_rows
from layerscope.measure.cuda.kernel import BLOCK, REGISTERS
from layerscope.measure.cuda.partials import PROGRAMS
from layerscope.measure.cuda.slots import SLOTS

TABLE = {
    "counts": "*i64", "partials": "*fp64", "intervals": "*fp64", "shifts": "*fp64", "tops": "*i32",
    "slots": "*i32",
}  # fmt: skip
SIZES = {"BLOCK": BLOCK, "PROGRAMS": PROGRAMS, "SHARED": True}


def compiled(kernel, arguments, constants, warps, fused, **others):
    """PTX of a kernel whose pointers are aligned."""
    names = kernel.arg_names
    source = ASTSource(
        fn=kernel,
        signature={name: arguments.get(name, "constexpr") for name in names},
        constexprs={(names.index(name),): value for name, value in constants.items()},
        attrs={
            (names.index(name),): [["tt.divisibility", 16]]
            for name, kind in arguments.items()
            if kind.startswith("*")
        },
    )
    target = GPUTarget("cuda", int(sys.argv[1]), 32)
    options = {"num_warps": warps, "enable_fp_fusion": fused, **others}
    if "SHARED" in constants:
        options["maxnreg"] = REGISTERS
    done = compile_kernel(source, target=target, options=options)
    slots = 4 * SLOTS.value if "SHARED" in constants else 0
    assert done.metadata.shared + slots <= 48 * 1024  # a launch gets no more without asking
    return done.asm["ptx"]


def main():
    arguments = {"jobs": "*i64", "tensors": "i32", **TABLE}
    for kind in (tl.float32, tl.bfloat16, tl.float16, tl.float64):
        listed = {"KIND": kind, "ALIGNED": True, **SIZES}
        ptx = compiled(kernel.add_tensors, arguments, listed, kernel.WARPS, fused=True)
        # One instruction counts, however many threads of a warp meet the same slot.
        assert "red.shared.add.u32" in ptx
        # Subnormal values have bins of their own: nothing may be flushed to zero.
        assert ".ftz" not in ptx
        print(kind)

    rows = {"counts": "*i64", "partials": "*fp64", "shifts": "*fp64", "tops": "*i32"}
    rows |= {"axes": "*fp64", "logarithmic": "*i8", "parts": "*fp64", "out": "*fp64"}
    constants = {"RESET": True, "PROGRAMS": PROGRAMS}
    ptx = compiled(
        transfer_rows.write_transfer_rows, rows, constants, transfer_rows.WARPS, fused=False
    )
    assert "fma.rn.f64" not in ptx  # the CPU rounds a product before it adds
    print("read")


if __name__ == "__main__":
    main()
