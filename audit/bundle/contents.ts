import { type Format, FORMATS, print } from '../document/print.ts';
import type { Printable } from '../document/document.ts';
import { jsonLines } from '../report/json.ts';
import { iso } from '../report/about.ts';
import type { Report } from '../report/report.ts';
import type { LogEvidence } from './log-proofs.ts';
import type { ArchivedFile } from './tar.ts';

export const CHECKPOINT = 'issuance-log/checkpoint';
export const VERIFIER_KEY = 'issuance-log/verifier-key';
export const PROOFS = 'issuance-log/proofs.jsonl';

const ENDINGS: Readonly<Record<Format, string>> = Object.freeze({
  table: 'txt',
  json: 'json',
  csv: 'csv',
  markdown: 'md',
  html: 'html',
});

function file(path: string, pieces: Iterable<string>): ArchivedFile {
  return { path, bytes: Buffer.concat([...grouped(pieces)]) };
}

/** Few buffers of many pieces. */
function* grouped(pieces: Iterable<string>): Generator<Buffer> {
  let waiting: string[] = [];
  for (const piece of pieces) {
    waiting.push(piece);
    if (waiting.length < 1000) continue;
    yield Buffer.from(waiting.join(''));
    waiting = [];
  }
  yield Buffer.from(waiting.join(''));
}

function inAllForms(name: string, printable: Printable): readonly ArchivedFile[] {
  return FORMATS.map((format) => file(`${name}.${ENDINGS[format]}`, print(printable, format)));
}

export interface Contents {
  readonly report: Report;
  readonly printedReport: Printable;
  readonly certificates: Printable;
  readonly evidence: LogEvidence;
  /** Configuration files as they are, and what they are called. */
  readonly configuration: readonly { readonly name: string; readonly bytes: Uint8Array }[];
}

/** What may not stand in the name of an archived file is a hyphen there. */
function archivedName(name: string): string {
  return name.replaceAll(/[^A-Za-z0-9._-]+/g, '-').slice(-60);
}

/** The files of a bundle, after its manifest. */
export function bundleFiles({ report, printedReport, certificates, evidence, configuration }: Contents): readonly ArchivedFile[] {
  const losses = {
    lost: report.lost,
    gaps: report.gaps.map(({ from, until, killed }) => ({ from: iso(from), until: iso(until), killed })),
    forgottenBefore: report.forgottenBefore === undefined ? null : iso(report.forgottenBefore),
    issuanceRecordsAfterCheckpoint: evidence.uncovered,
  };
  const named = configuration.map(({ name, bytes }, index) => ({
    path: `configuration/${String(index + 1).padStart(4, '0')}-${archivedName(name)}`,
    bytes,
    name,
  }));
  return [
    ...inAllForms('report', printedReport),
    file('edges.jsonl', jsonLines(report)),
    file('losses-and-gaps.json', [`${JSON.stringify(losses, undefined, 2)}\n`]),
    ...inAllForms('certificates', certificates),
    file(CHECKPOINT, [evidence.checkpoint]),
    file(VERIFIER_KEY, [`${evidence.verifierKey}\n`]),
    file(PROOFS, [evidence.proofs]),
    file('configuration/index.json', [
      `${JSON.stringify(
        named.map(({ path, name }) => ({ path, from: name })),
        undefined,
        2,
      )}\n`,
    ]),
    ...named.map(({ path, bytes }) => ({ path, bytes })),
  ];
}
