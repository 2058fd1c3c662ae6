"""Puts together what goes into the image: it runs inside the build, in the environment to be shipped.

What is kept is a list, not what is thrown away: the interpreter with its library, the installed
packages, and the system libraries that these load. So there is no shell, no compiler and no package
manager, whichever base the interpreter came from. Of those, what no role uses is named below, with
the reason; `used.py` finds what should be. Needs nothing but the standard library.

    TO/runtime   interpreter, system libraries, packages: changes with the lock file
    TO/product   our own package and the bill of materials: changes with every version
    TO/data      the empty data folder, which a volume covers
"""

from __future__ import annotations

import argparse
import compileall
import os
import py_compile
import re
import shutil
import ssl
import subprocess
import sys
import sysconfig
from collections.abc import Iterable, Iterator
from importlib.metadata import distributions
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from tools.image import bill

PRODUCT = "incident_copilot"
USER = 10001

STDLIB_LEFT_OUT = {
    "__pycache__": "compiled anew below, for a file system that cannot be written to",
    "_crypt.*": "passwords of this system's accounts",
    "_ctypes_test.*": "tests",
    "_curses*": "draws in a terminal",
    "_dbm.*": "files that we do not write",
    "_gdbm.*": "the same",
    "_test*": "tests",
    "_tkinter.*": "windows",
    "_xxtest*": "tests",
    "config-*": "the static library, for programs that embed Python",
    "curses": "draws in a terminal",
    "dist-packages": "Debian's own",
    "site-packages": "of the base, among them pip",
    "distutils": "the package manager and what belongs to it",
    "ensurepip": "brings pip",
    "idlelib": "an editor",
    "lib2to3": "rewrites Python 2",
    "nis.*": "accounts of a network, by way of Kerberos",
    "ossaudiodev.*": "sound",
    "pydoc_data": "help texts",
    "readline.*": "edits lines in a terminal",
    "test": "tests",
    "tkinter": "windows",
    "turtle.py": "windows",
    "turtledemo": "windows",
    "venv": "makes environments to install into",
    "xxlimited*": "examples",
}
DISTRIBUTIONS_LEFT_OUT = {
    "filelock": "of huggingface-hub",
    "flatbuffers": "writes models; onnxruntime reads them without",
    "fsspec": "of huggingface-hub",
    "googleapis-common-protos": "of the OpenTelemetry exporter, which imports none of it",
    "hf-xet": "of huggingface-hub",
    "huggingface-hub": "fetches models for tokenizers; ours lies beside our code",
    "packaging": "of onnxruntime's interface for others, and of huggingface-hub",
    "pycparser": "reads C for cffi, which has been compiled",
    "regex": "of tiktoken",
    "tiktoken": "counts tokens before they are sent; we count what was used",
    "tqdm": "of huggingface-hub",
    "watchfiles": "starts uvicorn anew when its sources change",
}
"""Of the lock file: what others ask for and no code of theirs imports on a way that is ours."""
PACKAGES_LEFT_OUT = {
    "**/__pycache__": "compiled anew below",
    "**/.agents": "for who writes code with it",
    "**/_test*.so": "tests",
    "**/_tests": "tests of packages",
    "**/testdata": "tests of packages",
    "**/tests": "tests of packages",
    "**/*.pyi": "for type checkers",
    "**/*.pyx": "sources of compiled modules",
    "**/*.pxd": "sources of compiled modules",
    "**/*.c": "sources of compiled modules",
    "**/*.h": "for compilers",
    "**/*.hpp": "for compilers",
    "**/*.a": "for compilers",
    "asyncmy/replication": "follows the changes of a server",
    "kubernetes/aio/client/api/*_api.py": "a class for each call; ours are made by path",
    "kubernetes/client/api/*_api.py": "the same, for those who wait",
    "kubernetes/client/models/v[0-9]*.py": "the same; ours are those of kubernetes.aio",
    "numpy/_core/*_tests.*.so": "tests",
    "numpy/_core/_simd.*": "tests",
    "numpy/f2py": "compiles Fortran",
    "numpy/distutils": "compiles packages",
    "onnxruntime/backend": "for programs that have onnx",
    "onnxruntime/capi/libonnxruntime*": "the same again, for programs in C",
    "onnxruntime/datasets": "examples",
    "onnxruntime/quantization": "makes models smaller",
    "onnxruntime/tools": "converts models",
    "onnxruntime/transformers": "converts models",
    "zstandard/_cffi.*": "the same again, for interpreters other than this one",
}
"""Under site-packages; what is not there in a version is not missed."""

SHIPPED_PROGRAMS = ("incident-copilot", "icp")

PASSWD = f"root:x:0:0::/:/sbin/nologin\ncopilot:x:{USER}:{USER}::/data:/sbin/nologin\n"
GROUP = f"root:x:0:\ncopilot:x:{USER}:\n"


class Assembly:
    """The tree that is being made; `/` of the base stays as it is."""

    def __init__(self, environment: Path, to: Path) -> None:
        self.environment = environment
        self.runtime = to / "runtime"
        self.product = to / "product"
        self.data = to / "data"
        self.system_files: set[Path] = set()

    def make(self) -> None:
        self._folders()
        self._interpreter()
        self._packages()
        self._libraries()
        self._certificates()
        self._accounts()
        packages = sorted(owners_of(self.system_files))
        self._records(packages)
        self._compile()
        self._split()
        self._bill(packages)

    def _folders(self) -> None:
        for link in ("lib", "lib64", "bin", "sbin"):  # as in the base, where they lead into /usr
            if (path := Path("/", link)).is_symlink():
                (self.runtime / "usr" / link).mkdir(parents=True, exist_ok=True)
                (self.runtime / link).symlink_to(path.readlink())
        for mount in ("dev", "proc", "sys"):
            (self.runtime / mount).mkdir(parents=True)
        (self.runtime / "tmp").mkdir()
        (self.runtime / "tmp").chmod(0o1777)
        self.data.mkdir(parents=True)
        self.data.chmod(0o770)

    def _interpreter(self) -> None:
        self._system_file(Path(sys.executable).resolve())
        for folder in {sysconfig.get_path("stdlib"), sysconfig.get_path("platstdlib")}:
            source = Path(folder)
            left_out = shutil.ignore_patterns(*STDLIB_LEFT_OUT)
            to = self._inside(source)
            shutil.copytree(
                source, to, ignore=left_out, ignore_dangling_symlinks=True, dirs_exist_ok=True
            )
            self.system_files |= {source / path.relative_to(to) for path in files_in(to)}

    def _packages(self) -> None:
        site = Path(sysconfig.get_path("purelib"))
        to = self._inside(site)
        shutil.copytree(site, to)
        for path in distributions_left_out(to):
            path.unlink()
        for pattern in PACKAGES_LEFT_OUT:
            for path in list(to.glob(pattern)):
                shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
        for folder in sorted(filter(Path.is_dir, to.rglob("*")), reverse=True):
            if not any(folder.iterdir()):
                folder.rmdir()
        shutil.copy(self.environment / "pyvenv.cfg", self._inside(self.environment))
        programs = self.environment / "bin"
        self._inside(programs).mkdir()
        for name in SHIPPED_PROGRAMS:
            shutil.copy(programs / name, self._inside(programs / name))
        for name in ("python", "python3"):
            self._inside(programs / name).symlink_to(Path(sys.executable).resolve())

    def _libraries(self) -> None:
        kept = [Path("/", path.relative_to(self.runtime)) for path in files_in(self.runtime)]
        for path in sorted({library for file in kept for library in libraries_of(file)}):
            if not path.is_relative_to(self.environment):
                self._system_file(path)

    def _certificates(self) -> None:
        """In one file, where both OpenSSL and people look for it."""
        known = Path("/etc/ssl/certs/ca-certificates.crt")
        self._system_file(known)
        default = Path(ssl.get_default_verify_paths().openssl_cafile)
        if default != known:
            link = self._inside(default)
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(known)

    def _accounts(self) -> None:
        etc = self.runtime / "etc"
        (etc / "passwd").write_text(PASSWD)
        (etc / "group").write_text(GROUP)
        (etc / "nsswitch.conf").write_text("passwd: files\ngroup: files\nhosts: files dns\n")
        shutil.copy("/etc/os-release", etc / "os-release")

    def _records(self, packages: Iterable[str]) -> None:
        """Which of the base's packages are in it, for scanners, and their licences."""
        records = self.runtime / "var/lib/dpkg/status.d"
        records.mkdir(parents=True)
        for package in packages:
            name = package.partition(":")[0]
            (records / name).write_text(output("dpkg-query", "--status", package))
            licence = Path("/usr/share/doc", name, "copyright")
            if licence.exists():
                to = self._inside(licence)
                to.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(licence, to)

    def _compile(self) -> None:
        """Never checked against the sources: times are not the same everywhere, the bytes are."""
        done = compileall.compile_dir(
            self.runtime,
            maxlevels=40,
            quiet=2,
            stripdir=str(self.runtime),
            prependdir="/",
            invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH,
        )
        if not done:
            print("some modules could not be compiled (templates, as a rule)", flush=True)

    def _split(self) -> None:
        """Our own package into a layer of its own, the only one that a new version changes."""
        site = self._inside(Path(sysconfig.get_path("purelib")))
        ours = [site / "copilot", *site.glob(f"{PRODUCT}-*.dist-info")]
        programs = self._inside(self.environment / "bin")
        for path in [*ours, *(programs / name for name in SHIPPED_PROGRAMS)]:
            to = self.product / path.relative_to(self.runtime)
            to.parent.mkdir(parents=True, exist_ok=True)
            path.rename(to)

    def _bill(self, packages: Iterable[str]) -> None:
        to = self.product / "usr/share/incident-copilot"
        to.mkdir(parents=True)
        lock = Path("ui/package-lock.json")
        site = self._inside(Path(sysconfig.get_path("purelib")))
        sites = (site, self.product / site.relative_to(self.runtime))
        (to / bill.NAME).write_text(bill.printed(sites=sites, debian=packages, npm=lock))

    def _system_file(self, path: Path) -> None:
        """Under the name it is asked for by, in the folder that it really lies in."""
        to = self._inside(path)
        to.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, to)
        self.system_files.add(path)

    def _inside(self, path: Path) -> Path:
        return self.runtime / (path.parent.resolve() / path.name).relative_to("/")


def distributions_left_out(site: Path) -> list[Path]:
    """Their files under site-packages; the programs that they bring are in no image anyway."""
    left_out = [
        d for d in distributions(path=[str(site)]) if bill.normal(d) in DISTRIBUTIONS_LEFT_OUT
    ]
    named = [Path(str(d.locate_file(file))) for d in left_out for file in d.files or ()]
    return [path for path in named if ".." not in path.parts and path.is_file()]


def files_in(folder: Path) -> Iterator[Path]:
    return (path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())


def libraries_of(file: Path) -> set[Path]:
    """All that a program or a compiled module needs, whatever it is needed by.

    Raises:
        SystemExit: one of them is not there.
    """
    with file.open("rb") as opened:
        if opened.read(4) != b"\x7fELF":
            return set()
    done = subprocess.run(["ldd", file], capture_output=True, text=True, check=False)
    if "not found" in done.stdout:
        raise SystemExit(f"{file} needs what the base does not have:\n{done.stdout}")
    return {
        Path(path) for path in re.findall(r"(?:=> |^\s*)(/\S+) \(0x", done.stdout, re.MULTILINE)
    }


def owners_of(files: Iterable[Path]) -> set[str]:
    """The base's packages that they are of; an interpreter that was built by hand is of none."""
    real = [path.parent.resolve() / path.name for path in files]
    names = [*real, *(Path("/", *path.parts[2:]) for path in real)]  # recorded with /usr or without
    done = subprocess.run(["dpkg", "-S", *names], capture_output=True, text=True, check=False)
    return {line.split(": /")[0].split(", ")[0] for line in done.stdout.splitlines()}


def output(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--environment", type=Path, required=True, help="where it was installed")
    parser.add_argument("--to", type=Path, required=True)
    arguments = parser.parse_args()
    os.umask(0o022)
    Assembly(arguments.environment, arguments.to).make()


if __name__ == "__main__":
    main()
