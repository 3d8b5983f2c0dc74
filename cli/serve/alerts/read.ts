import { readFileSync } from 'node:fs';
import type { DenialSpikeRule, NewEdgeRule, PlainTextRule } from '../../../audit/alerts/rules.ts';
import { webhooks } from './read-webhooks.ts';
import { Reader } from './reader.ts';
import type { AlertSettings } from './settings.ts';

export type ReadAlerts =
  { readonly ok: true; readonly value: AlertSettings } | { readonly ok: false; readonly faults: readonly string[] };

const LARGEST = 1 << 20;
const MINUTE_MS = 60_000;
const HOUR_MS = 3_600_000;
const YEAR_MS = 8_760 * HOUR_MS;

function newEdge(reader: Reader, value: unknown): NewEdgeRule {
  const fields = reader.fields(value, ['newEdge'], ['namespaces', 'learn']);
  return {
    namespaces: reader.names(fields['namespaces'], ['newEdge', 'namespaces']),
    learnMs: reader.duration(fields['learn'], ['newEdge', 'learn'], 24 * HOUR_MS, 0, YEAR_MS),
  };
}

function plainText(reader: Reader, value: unknown): PlainTextRule {
  const fields = reader.fields(value, ['plainText'], ['namespaces', 'again']);
  return {
    namespaces: reader.names(fields['namespaces'], ['plainText', 'namespaces']) ?? [],
    againMs: reader.duration(fields['again'], ['plainText', 'again'], 24 * HOUR_MS, MINUTE_MS, YEAR_MS),
  };
}

function denialSpike(reader: Reader, value: unknown): DenialSpikeRule {
  const fields = reader.fields(value, ['denialSpike'], ['window', 'factor', 'least', 'again']);
  return {
    windowMs: reader.duration(fields['window'], ['denialSpike', 'window'], 5 * MINUTE_MS, 1_000, 24 * HOUR_MS),
    factor: reader.number(fields['factor'], ['denialSpike', 'factor'], 5, 1, 1_000_000),
    least: reader.number(fields['least'], ['denialSpike', 'least'], 20, 1, 1_000_000_000),
    againMs: reader.duration(fields['again'], ['denialSpike', 'again'], HOUR_MS, 1_000, YEAR_MS),
  };
}

/** It has nothing to be set. */
function rollback(reader: Reader, value: unknown): { readonly rollback: true } {
  reader.fields(value, ['rollback'], []);
  return { rollback: true };
}

/** Reads the file of `--alerts`: webhooks, and the rules that are wanted. */
export function readAlerts(file: string): ReadAlerts {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    return { ok: false, faults: [`${file}:1: error: ${error instanceof Error ? error.message : String(error)}`] };
  }
  if (text.length > LARGEST) return { ok: false, faults: [`${file}:1: error: is larger than 1 MiB (alert rules are short)`] };
  const reader = new Reader(file, text);
  const value = reader.faults.length === 0 ? reader.value() : undefined;
  const fields = reader.fields(value, [], ['webhooks', 'newEdge', 'plainText', 'denialSpike', 'rollback']);
  const has = (name: string): boolean => Object.hasOwn(fields, name);
  const settings: AlertSettings = {
    webhooks: webhooks(reader, fields['webhooks']),
    rules: {
      newEdge: has('newEdge') ? newEdge(reader, fields['newEdge']) : undefined,
      plainText: has('plainText') ? plainText(reader, fields['plainText']) : undefined,
      denialSpike: has('denialSpike') ? denialSpike(reader, fields['denialSpike']) : undefined,
      ...(has('rollback') && rollback(reader, fields['rollback'])),
    },
  };
  const { rules } = settings;
  if (
    reader.faults.length === 0 &&
    rules.newEdge === undefined &&
    rules.plainText === undefined &&
    rules.denialSpike === undefined &&
    rules.rollback === undefined
  )
    reader.fault([], 'has no rule', 'write newEdge: {}, plainText: {}, denialSpike: {} or rollback: {}');
  return reader.faults.length === 0 ? { ok: true, value: settings } : { ok: false, faults: reader.faults };
}
