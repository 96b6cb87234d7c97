# Read by the checks that run Python, at the root of the project: a folder of their own, the program, and Python with the
# packages of a list.
#
#   . tools/environment.sh        work: a folder that goes with the script; PAPERTRADER: the program, unless it names one
#   python VENV REQUIREMENTS      installs the packages into VENV

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 1' INT TERM

if [ -z "${PAPERTRADER:-}" ]; then
    cargo build --quiet --bin papertrader
    PAPERTRADER=target/debug/papertrader
fi

python() {
    [ -x "$1/bin/python" ] || python3 -m venv "$1"
    "$1/bin/python" -m pip install --quiet --disable-pip-version-check --requirement "$2"
}
