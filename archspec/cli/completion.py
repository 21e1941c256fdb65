"""Print a completion script for verbs, options and names of specs: bash, zsh or fish.

bash: eval "$(archspec completion bash)" in ~/.bashrc. zsh: the same in ~/.zshrc, behind compinit.
fish: archspec completion fish > ~/.config/fish/completions/archspec.fish. 'names' prints the catalogue's names, which
the scripts ask for when they are needed.
"""

from __future__ import annotations

import argparse

SHELLS = ("bash", "zsh", "fish")

BASH = """\
_archspec() {
    local word="${COMP_WORDS[COMP_CWORD]}"
    COMPREPLY=()
    if [ "$COMP_CWORD" -eq 1 ]; then
        COMPREPLY=($(compgen -W "@VERBS@" -- "$word"))
    elif [[ "$word" == -* ]]; then
        case "${COMP_WORDS[1]}" in
@OPTIONS@
        esac
    else
        COMPREPLY=($(compgen -W "$(archspec completion names 2>/dev/null)" -- "$word") $(compgen -f -- "$word"))
    fi
}
complete -o filenames -F _archspec archspec"""

ZSH = """\
autoload -Uz bashcompinit && bashcompinit
"""


EXAMPLES = ('eval "$(archspec completion bash)"',)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The shell."""
    parser.add_argument("shell", choices=(*SHELLS, "names"), metavar="SHELL", help=f"{', '.join(SHELLS)}, or names")


def run(args: argparse.Namespace) -> int:
    """Print the script, or the names."""
    from archspec.cli._output import write

    if args.shell == "names":
        from archspec.frontend import catalogue

        write("\n".join(catalogue.names()))
    else:
        write(_fish() if args.shell == "fish" else (ZSH if args.shell == "zsh" else "") + _bash())
    return 0


def options() -> dict[str, list[tuple[str, str]]]:
    """The options of every verb, each with its help."""
    from importlib import import_module

    from archspec.cli import verbs
    from archspec.cli._arguments import Parser

    out = {}
    for verb in verbs():
        parser = Parser(prog=verb)
        import_module(f"archspec.cli.{verb}").add_arguments(parser)
        out[verb] = [(o, a.help or "") for a in parser.options() for o in a.option_strings if o.startswith("--")]
    return out


def _bash() -> str:
    known = options()
    cases = [
        f'            {verb}) COMPREPLY=($(compgen -W "{" ".join(o for o, _ in found)}" -- "$word"));;'
        for verb, found in known.items()
    ]
    return BASH.replace("@VERBS@", " ".join((*known, "help"))).replace("@OPTIONS@", "\n".join(cases))


def _fish() -> str:
    from archspec.cli import verbs

    first = "complete -c archspec -n __fish_use_subcommand"
    lines = [f"{first} -f -a {verb} -d {_quoted(help)}" for verb, help in verbs().items()]
    lines.append("complete -c archspec -n 'not __fish_use_subcommand' -a '(archspec completion names 2>/dev/null)'")
    for verb, found in options().items():
        seen = f"complete -c archspec -n '__fish_seen_subcommand_from {verb}'"
        lines += [f"{seen} -l {option[2:]} -d {_quoted(help)}" for option, help in found]
    return "\n".join(lines)


def _quoted(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
