# Stands for rustc and, under that name, for bindgen: answers questions about versions, and fails for everything else.
case "${0##*/} $*" in
"rustc --version") echo "$rustc" ;;
"bindgen --version") echo "$bindgen" ;;
"rustc --version --verbose") printf '%s\nLLVM version: %s\n' "$rustc" "$llvm" ;;
"rustc --print sysroot") dirname "$0" ;;
# bindgen says by a warning about this header which libclang it uses.
"bindgen "*/rust_is_available_bindgen_libclang.h) echo "clang version $llvm" >&2 ;;
"bindgen "*/rust_is_available_bindgen_*.h) ;;
*)
	echo "livesplice compiles no Rust" >&2
	exit 1
	;;
esac
