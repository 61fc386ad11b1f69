"""Which errors say that memory ran out, on a device or on the CPU. Knows no torch, so that it can be asked before that.

There is no one class for them: torch tells of a CPU's memory by a plain RuntimeError.
"""

_WORDS = (
    "can't allocate memory",  # torch's allocator on Linux, for what a tensor holds
    "DefaultCPUAllocator: not enough memory",  # and on Windows
    "std::bad_alloc",  # everything else that its C++ asks for, such as a small tensor itself
    "Cannot allocate memory",  # the system, by errno: a file that should have been mapped
    "CUDA error: out of memory",
    "CUBLAS_STATUS_ALLOC_FAILED",
    "CUDNN_STATUS_ALLOC_FAILED",
    "ALLOCATION_FAILED",  # the end of what cuDNN 9 calls it: CUDNN_STATUS_INTERNAL_ERROR_DEVICE_..., _HOST_...
)


def is_out_of_memory(error: BaseException) -> bool:
    """Whether this error says so."""
    named = isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError"
    return named or any(word in str(error) for word in _WORDS)
