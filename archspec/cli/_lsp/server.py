"""The protocol: what editors ask, answered from open texts by pygls."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from threading import Lock
from typing import Any

from lsprotocol import types as lsp
from pygls import uris
from pygls.exceptions import JsonRpcInvalidParams
from pygls.lsp.server import LanguageServer

from archspec import __version__
from archspec.cli._lsp import open_text, run_text
from archspec.cli._lsp.open_text import OpenText
from archspec.cli._lsp.places import Places
from archspec.frontend.completion import completions
from archspec.frontend.layout import formatted
from archspec.ir.diagnostics import Diagnostic, Span, SpecError, printable

DELAY = 0.15
"""Seconds without typing after which a text is analysed."""
SYMBOLS = {
    "parameter": lsp.SymbolKind.Constant,
    "variable": lsp.SymbolKind.Variable,
    "input": lsp.SymbolKind.Field,
    "step": lsp.SymbolKind.Field,
    "block": lsp.SymbolKind.Function,
    "network": lsp.SymbolKind.Class,
    "file": lsp.SymbolKind.Module,
}
WORDS = {
    "op": lsp.CompletionItemKind.Function,
    "block": lsp.CompletionItemKind.Function,
    "network": lsp.CompletionItemKind.Class,
    "file": lsp.CompletionItemKind.Module,
    "argument": lsp.CompletionItemKind.Property,
    "modifier": lsp.CompletionItemKind.Keyword,
    "section": lsp.CompletionItemKind.Keyword,
    "value": lsp.CompletionItemKind.EnumMember,
    "parameter": lsp.CompletionItemKind.Constant,
}
SEVERITIES = {"error": lsp.DiagnosticSeverity.Error, "warning": lsp.DiagnosticSeverity.Warning}


def serve() -> None:
    """Answer over stdin and stdout until the editor ends it."""
    # pygls closes what it is given; and what anything prints must not come between messages.
    with os.fdopen(os.dup(0), "rb") as taken, os.fdopen(os.dup(1), "wb") as given:
        os.dup2(2, 1)
        Served().server.start_io(taken, given)


class Served:
    """The open texts of an editor, and what it may ask of them."""

    def __init__(self) -> None:
        self.server = LanguageServer("archspec", __version__)
        self.known: dict[str, OpenText] = {}
        self.waiting: dict[str, asyncio.Task[None]] = {}
        # Analyses take turns: a text that changes fast must not be analysed by several threads at once.
        self.turn = Lock()
        features: dict[str, tuple[Callable[[Any], Any], Any]] = {
            lsp.TEXT_DOCUMENT_DID_OPEN: (self.changed, None),
            lsp.TEXT_DOCUMENT_DID_CHANGE: (self.changed, None),
            lsp.TEXT_DOCUMENT_DID_SAVE: (self.saved, None),
            lsp.TEXT_DOCUMENT_DID_CLOSE: (self.closed, None),
            lsp.TEXT_DOCUMENT_COMPLETION: (
                self.completion,
                lsp.CompletionOptions(trigger_characters=["=", " ", "{", "[", ","]),
            ),
            lsp.TEXT_DOCUMENT_HOVER: (self.hover, None),
            lsp.TEXT_DOCUMENT_DEFINITION: (self.definition, None),
            lsp.TEXT_DOCUMENT_REFERENCES: (self.references, None),
            lsp.TEXT_DOCUMENT_PREPARE_RENAME: (self.prepare_rename, None),
            lsp.TEXT_DOCUMENT_RENAME: (self.rename, lsp.RenameOptions(prepare_provider=True)),
            lsp.TEXT_DOCUMENT_FORMATTING: (self.formatting, None),
            lsp.TEXT_DOCUMENT_DOCUMENT_SYMBOL: (self.document_symbols, None),
            lsp.TEXT_DOCUMENT_CODE_ACTION: (
                self.code_actions,
                lsp.CodeActionOptions(code_action_kinds=[lsp.CodeActionKind.QuickFix]),
            ),
        }
        for name, (answer, options) in features.items():
            # pygls marks what it is given, which a method does not bear.
            self.server.feature(name, options)(partial(answer))

    def places(self, uri: str) -> Places:
        """The text as it is now."""
        space = self.server.workspace
        encoding = space.position_encoding
        return Places(space.get_text_document(uri).source, str(getattr(encoding, "value", encoding)))

    def now(self, uri: str) -> OpenText:
        """What is known of the text as it is now."""
        with self.turn:
            places, known = self.places(uri), self.known.get(uri)
            if known is None or known.places.text != places.text:
                known = self.known[uri] = open_text.read(_path(uri), places, known)
            return known

    async def changed(self, params: Any) -> None:
        """Analyse the text once typing rests; what was to be analysed before is stale."""
        uri = params.text_document.uri
        if (before := self.waiting.pop(uri, None)) is not None:
            before.cancel()
        self.waiting[uri] = asyncio.create_task(self.publish(uri))

    async def saved(self, params: object) -> None:
        """Files may use the one that was saved: all are analysed anew."""
        self.known.clear()
        for uri in list(self.server.workspace.text_documents):
            await self.changed(lsp.DidSaveTextDocumentParams(lsp.TextDocumentIdentifier(uri)))

    async def closed(self, params: Any) -> None:
        """Nothing is said of a text that is not open."""
        uri = params.text_document.uri
        if (waiting := self.waiting.pop(uri, None)) is not None:
            waiting.cancel()
        self.known.pop(uri, None)
        self.server.text_document_publish_diagnostics(lsp.PublishDiagnosticsParams(uri, []))

    async def publish(self, uri: str) -> None:
        """Say all findings of a text, unless it has changed meanwhile."""
        await asyncio.sleep(DELAY)
        text = await asyncio.to_thread(self.now, uri)
        document = self.server.workspace.text_documents.get(uri)
        if document is None or document.source != text.places.text:
            return
        said = [self.diagnostic(text, one) for one in text.findings]
        said += [self.diagnostic(text, one, lsp.DiagnosticSeverity.Hint) for one in text.hints]
        self.server.text_document_publish_diagnostics(lsp.PublishDiagnosticsParams(uri, said, document.version))

    def diagnostic(
        self, text: OpenText, said: Diagnostic, severity: lsp.DiagnosticSeverity | None = None
    ) -> lsp.Diagnostic:
        """A finding, where this text has a part in it."""
        message = printable(said.message) + (f"\nhelp: {printable(said.help)}" if said.help else "")
        span = text.span(said)
        if span is not said.span:
            message = f"{said.span}: {message}"
        level = severity or SEVERITIES.get(said.severity, lsp.DiagnosticSeverity.Information)
        return lsp.Diagnostic(_range(text.places, *text.reach(span)), message, level, said.code, source="archspec")

    def completion(self, params: lsp.CompletionParams) -> list[lsp.CompletionItem]:
        """What may stand at the cursor."""
        uri = params.text_document.uri
        places = self.places(uri)
        at = places.offset_at(params.position.line, params.position.character)
        possible = (
            run_text.completions(places.text, at)
            if run_text.is_run(places.text)
            else completions(places.text, at, self.now(uri).symbols)
        )
        return [
            lsp.CompletionItem(
                one.word,
                kind=WORDS.get(one.kind, lsp.CompletionItemKind.Variable),
                detail=one.kind,
                documentation=one.doc or None,
                sort_text=f"{i:05}",
            )
            for i, one in enumerate(possible)
        ]

    def hover(self, params: lsp.HoverParams) -> lsp.Hover | None:
        """What stands at the cursor, makes and costs."""
        text = self.now(params.text_document.uri)
        if run_text.is_run(text.places.text):
            at = text.places.offset_at(params.position.line, params.position.character)
            said = run_text.hover(text.places.text, at)
        else:
            said = open_text.hover(text, *_place(text, params.position))
        return None if said is None else lsp.Hover(lsp.MarkupContent(lsp.MarkupKind.Markdown, said))

    def definition(self, params: lsp.DefinitionParams) -> lsp.Location | None:
        """Where a name is given; of a file that is used, at its name the file itself."""
        from archspec.frontend.files import Library

        uri = params.text_document.uri
        text = self.now(uri)
        line, column = _place(text, params.position)
        symbol = text.analysis.symbols.at(line, column)
        document = text.analysis.document
        if symbol is None and document is not None:
            # On the path of a file that is used.
            named = (s for s in text.analysis.symbols if s.kind == "file" and s.definition.line == line)
            symbol = next((s for s in named if _covers(document.span("use", s.name), line, column)), None)
        if symbol is None or document is None:
            return None
        if symbol.kind == "file":
            library = Library()
            library.lies_in(document, text.path.parent)
            try:
                used, _ = library.used(document, symbol.name)
            except (SpecError, OSError):
                return None
            path = library.folders[used.source.name] / Path(used.source.name).name
            target = uris.from_fs_path(str(path))
            return lsp.Location(target, _range(Places(""), 0, 0)) if target else None
        return lsp.Location(uri, _range(text.places, *text.reach(symbol.definition)))

    def references(self, params: lsp.ReferenceParams) -> list[lsp.Location]:
        """All places of a name."""
        text, symbol = self._symbol(params)
        if symbol is None:
            return []
        spans = symbol.places if params.context.include_declaration else symbol.references
        return [lsp.Location(params.text_document.uri, _range(text.places, *text.reach(span))) for span in spans]

    def prepare_rename(self, params: lsp.PrepareRenameParams) -> lsp.Range | None:
        """The name at the cursor, if it can have another."""
        text, symbol = self._symbol(params)
        if symbol is None or symbol.is_shared:
            return None
        line, column = _place(text, params.position)
        span = next(span for span in symbol.places if _covers(span, line, column))
        return _range(text.places, *text.reach(span))

    def rename(self, params: lsp.RenameParams) -> lsp.WorkspaceEdit | None:
        """Another name in all places."""
        text, symbol = self._symbol(params)
        if symbol is None:
            return None
        try:
            places = open_text.renamed(text, symbol, params.new_name)
        except ValueError as error:
            raise JsonRpcInvalidParams(str(error)) from None
        edits = [lsp.TextEdit(_range(text.places, *place), params.new_name) for place in places]
        return lsp.WorkspaceEdit(changes={params.text_document.uri: edits})

    def formatting(self, params: lsp.DocumentFormattingParams) -> list[lsp.TextEdit]:
        """The canonical form; nothing changes in what cannot be read."""
        places = self.places(params.text_document.uri)
        try:
            new = formatted(open_text.OpenText(_path(params.text_document.uri), places).source)
        except SpecError:
            return []
        whole = _range(places, 0, len(places.text))
        return [] if new == places.text else [lsp.TextEdit(whole, new)]

    def document_symbols(self, params: lsp.DocumentSymbolParams) -> list[lsp.DocumentSymbol]:
        """All names that the text gives, in its order."""
        text = self.now(params.text_document.uri)
        out = []
        for symbol in text.analysis.symbols:
            where = _range(text.places, *text.reach(symbol.definition))
            detail = str(symbol.spec) if symbol.spec is not None else symbol.kind
            out.append(lsp.DocumentSymbol(symbol.name, SYMBOLS[symbol.kind], where, where, detail))
        return out

    def code_actions(self, params: lsp.CodeActionParams) -> list[lsp.CodeAction]:
        """Changes that findings in a range propose."""
        uri = params.text_document.uri
        text = self.now(uri)
        first = text.places.offset_at(params.range.start.line, params.range.start.character)
        last = text.places.offset_at(params.range.end.line, params.range.end.character)
        out = []
        hint = lsp.DiagnosticSeverity.Hint
        for said, level in [*((d, None) for d in text.findings), *((d, hint) for d in text.hints)]:
            start, end = text.reach(text.span(said))
            if start > last or end < first:
                continue
            for one in text.mendings(said):
                edit = lsp.TextEdit(_range(text.places, one.start, one.end), one.new)
                out.append(
                    lsp.CodeAction(
                        one.title,
                        kind=lsp.CodeActionKind.QuickFix,
                        diagnostics=[self.diagnostic(text, said, level)],
                        edit=lsp.WorkspaceEdit(changes={uri: [edit]}),
                    )
                )
        return out

    def _symbol(self, params: Any) -> tuple[OpenText, Any]:
        text = self.now(params.text_document.uri)
        return text, text.analysis.symbols.at(*_place(text, params.position))


def _path(uri: str) -> Path:
    """The file of a text; one that was never saved has its own name in the working folder."""
    path = uris.to_fs_path(uri) if uri.startswith("file:") else None
    return Path(path) if path else Path.cwd() / (uri.rpartition("/")[2].rpartition(":")[2] or "untitled")


def _place(text: OpenText, position: lsp.Position) -> tuple[int, int]:
    return text.places.place(text.places.offset_at(position.line, position.character))


def _range(places: Places, start: int, end: int) -> lsp.Range:
    return lsp.Range(lsp.Position(*places.position(start)), lsp.Position(*places.position(end)))


def _covers(span: Span, line: int, column: int) -> bool:
    return span.line == line and span.column <= column <= span.column + span.length
