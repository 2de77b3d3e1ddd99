"""Names that a function in C, or the same in C++, cannot have."""

__all__ = ["is_taken"]

#: Keywords, types and macros of math.h, and what else a file has once.
_WORDS = """
alignas alignof and and_eq asm auto bitand bitor bool break case catch char char16_t
char32_t char8_t class co_await co_return co_yield compl concept const const_cast
consteval constexpr constinit continue decltype default delete do double
dynamic_cast else enum explicit export extern false float for friend goto if inline
int long mutable namespace new noexcept not not_eq nullptr operator or or_eq private
protected public register reinterpret_cast requires restrict return short signed
sizeof static static_assert static_cast struct switch template this thread_local
throw true try typedef typeid typename typeof typeof_unqual union unsigned using
virtual void volatile wchar_t while xor xor_eq
double_t float_t fpclassify isfinite isgreater isgreaterequal isless islessequal
islessgreater isnormal isunordered math_errhandling signbit signgam
HUGE_VAL HUGE_VALF HUGE_VALL INFINITY NAN
abs main std
"""

#: Functions of math.h in C99, each for float and long double as well, and those that
#: systems add, gamma among them.
_FUNCTIONS = """
acos acosh asin asinh atan atan2 atanh cbrt ceil copysign cos cosh erf erfc exp exp2
expm1 fabs fdim floor fma fmax fmin fmod frexp hypot ilogb ldexp lgamma llrint
llround log log10 log1p log2 logb lrint lround modf nan nearbyint nextafter
nexttoward pow remainder remquo rint round scalbln scalbn sin sinh sqrt tan tanh
tgamma trunc
drem exp10 finite gamma isinf isnan j0 j1 jn lgamma_r pow10 scalb significand sincos
y0 y1 yn
"""

_PREFIXES = ("_", "FP_", "MATH_", "M_")


def is_taken(name: str) -> bool:
    """Whether C or C++ has a word for itself, or math.h has it."""
    words, functions = _WORDS.split(), _FUNCTIONS.split()
    if name in words or name.startswith(_PREFIXES):
        return True
    return name in functions or (name.endswith(("f", "l")) and name[:-1] in functions)
