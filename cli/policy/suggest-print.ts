import { Document, isMap, isSeq } from 'yaml';
import { type Cell, type Document as Shown, type Table } from '../../audit/document/document.ts';
import type { Printable } from '../../audit/document/document.ts';
import { visible } from '../../audit/report/visible.ts';
import { manifestOf, togetherIn } from '../../policy/suggest/manifests.ts';
import type { CallerNote, RuleEvidence, SuggestedPolicy, SuggestedRule, Suggestion } from '../../policy/suggest/suggestion.ts';
import type { Evidence } from './suggest-evidence.ts';

export interface PrintOptions {
  readonly dryRun: boolean;
  readonly evidence: Evidence;
}

/** The first line of each file that is written, by which a later run knows what it may replace. */
export const HEADER = 'Suggested by gatehouse policy suggest';

function time(ms: number): string {
  return ms === 0 ? '-' : new Date(ms).toISOString();
}

function day(ms: number): string {
  return time(ms).slice(0, 16).replace('T', ' ');
}

function calls(count: number): string {
  return `${count} call${count === 1 ? '' : 's'}`;
}

function evidenceText({ calls: count, firstSeen, lastSeen, rare }: RuleEvidence): string {
  if (count === 0) return 'no calls seen';
  return `${calls(count)}, ${day(firstSeen)} to ${day(lastSeen)}${rare ? ', seldom' : ''}`;
}

function about(policy: Pick<SuggestedPolicy, 'workload' | 'namespace'>): string {
  return policy.workload ?? policy.namespace;
}

/** What is said of one workload, without its name. */
function of(texts: readonly string[], name: string): readonly string[] {
  return texts.filter((text) => text.startsWith(`${name}: `)).map((text) => text.slice(name.length + 2));
}

function notesFor({ notes }: Suggestion, policy: SuggestedPolicy): readonly CallerNote[] {
  return notes.filter(({ destination }) =>
    policy.workload === undefined ? destination.startsWith(`${policy.namespace}/`) : destination === policy.workload,
  );
}

function generalised({ generalisations }: Suggestion, policy: SuggestedPolicy): readonly string[] {
  if (policy.workload !== undefined) return of(generalisations, policy.workload);
  return generalisations.filter((text) => text.startsWith(`${policy.namespace}/`) || text.startsWith(`${policy.namespace}: `));
}

function comment(lines: readonly string[]): string {
  return lines.map((line) => ` ${visible(line)}`).join('\n');
}

function beforeRule(rule: SuggestedRule): string {
  return comment([evidenceText(rule.evidence)]);
}

/** What a rule rests on is said above it, of several operations above each. */
function comments(item: unknown, group: readonly SuggestedRule[]): void {
  if (!isMap(item)) return;
  const operations = item.get('to');
  const [first] = group;
  if (group.length === 1 && first !== undefined) item.commentBefore = beforeRule(first);
  else if (isSeq(operations))
    for (const [index, rule] of group.entries()) {
      const one = operations.items[index];
      if (isMap(one)) one.commentBefore = beforeRule(rule);
    }
}

/** One policy as YAML, with what it rests on as comments. */
export function policyYaml(suggestion: Suggestion, policy: SuggestedPolicy, { dryRun, evidence }: PrintOptions): string {
  const document = new Document(manifestOf(policy, { dryRun }), { aliasDuplicateObjects: false });
  const since = evidence.since === undefined ? '' : ` from ${time(evidence.since)}`;
  const widened = generalised(suggestion, policy);
  const notes = notesFor(suggestion, policy);
  document.commentBefore = comment([
    `${HEADER} for ${about(policy)}: calls${since} to ${time(evidence.until)}`,
    ...(policy.rules.length === 0 ? ['Nobody was seen to call it: nobody may.'] : []),
    ...(widened.length === 0 ? [] : ['Beyond what was seen it allows:', ...widened.map((text) => `- ${text}`)]),
    ...(notes.length === 0 ? [] : ['Look at:', ...notes.map((one) => `- ${one.kind}: ${one.caller}: ${one.note}`)]),
  ]);
  const rules = document.getIn(['spec', 'rules']);
  if (isSeq(rules)) for (const [index, group] of togetherIn(policy.rules).entries()) comments(rules.items[index], group);
  return document.toString({ lineWidth: 0 });
}

export function suggestionYaml(suggestion: Suggestion, options: PrintOptions): string {
  return suggestion.policies.map((policy) => policyYaml(suggestion, policy, options)).join('---\n');
}

function jsonEvidence({ calls: count, firstSeen, lastSeen, rare }: RuleEvidence): object {
  return {
    calls: count,
    firstSeen: count === 0 ? null : time(firstSeen),
    lastSeen: count === 0 ? null : time(lastSeen),
    rare,
  };
}

export function suggestionJson(suggestion: Suggestion, { dryRun, evidence }: PrintOptions): string {
  const { policies, notes, generalisations, uncovered } = suggestion;
  const value = {
    evidence: {
      since: evidence.since === undefined ? null : time(evidence.since),
      until: time(evidence.until),
      missing: evidence.missing,
    },
    policies: policies.map((policy) => ({
      workload: policy.workload ?? null,
      namespace: policy.namespace,
      name: policy.name,
      rules: policy.rules.map(({ evidence: seen, ...rule }) => ({ ...rule, evidence: jsonEvidence(seen) })),
      manifest: manifestOf(policy, { dryRun }),
    })),
    notes: notes.map(({ calls: count, firstSeen, lastSeen, ...one }) => ({
      ...one,
      calls: count,
      firstSeen: count === 0 ? null : time(firstSeen),
      lastSeen: count === 0 ? null : time(lastSeen),
    })),
    generalisations,
    uncovered,
  };
  return `${JSON.stringify(value, undefined, 2)}\n`;
}

function cell(value: string): Cell {
  return { text: visible(value) };
}

function or(values: readonly (string | number)[], otherwise: string): string {
  return values.length === 0 ? otherwise : values.join(', ');
}

function rulesTable({ policies }: Suggestion): Table {
  return {
    columns: ['to', 'policy', 'from', 'ports', 'methods', 'paths', 'calls', 'first seen', 'last seen'].map((title) => ({
      title,
      wide: title === 'policy' || title === 'first seen',
    })),
    *rows() {
      for (const policy of policies) {
        const name = `${policy.namespace}/${policy.name}`;
        const to = policy.workload ?? `${policy.namespace}/*`;
        if (policy.rules.length === 0) yield [to, name, 'nobody', '', '', '', '0', '', ''].map(cell);
        for (const { principals, ipBlocks, ports, methods, paths, evidence } of policy.rules)
          yield [
            to,
            name,
            or([...principals, ...ipBlocks], 'anybody'),
            or(ports, 'any'),
            or(methods, 'any'),
            or(paths, 'any'),
            `${evidence.calls}${evidence.rare ? ' (seldom)' : ''}`,
            day(evidence.firstSeen),
            day(evidence.lastSeen),
          ].map(cell);
      }
    },
  };
}

function notesTable({ notes }: Suggestion): Table {
  return {
    columns: ['what', 'caller', 'to', 'calls', 'last seen', 'note'].map((title) => ({ title })),
    *rows() {
      for (const { kind, caller, destination, calls: count, lastSeen, note } of notes)
        yield [kind, caller, destination, String(count), day(lastSeen), note].map(cell);
    },
  };
}

function listTable(title: string, texts: readonly string[]): Table {
  return {
    columns: [{ title }],
    *rows() {
      for (const text of texts) yield [cell(text)];
    },
  };
}

/** As a table for terminals and Markdown for reviews. */
export function printableSuggestion(suggestion: Suggestion, options: PrintOptions): Printable {
  const { evidence } = options;
  const { policies, notes, generalisations, uncovered } = suggestion;
  const rules = policies.reduce((sum, policy) => sum + policy.rules.length, 0);
  const document: Shown = {
    title: 'Policies of least privilege for what was seen',
    period: `calls ${evidence.since === undefined ? '' : `from ${time(evidence.since)} `}to ${time(evidence.until)}`,
    facts: [
      ['policies', String(policies.length)],
      ['rules', String(rules)],
      ['callers to look at', String(notes.length)],
      ['not let in', String(uncovered.length)],
    ],
    about: [],
    sections: [
      { heading: 'Suggested', table: rulesTable(suggestion), whenEmpty: "Nothing: today's policies let in all that was seen." },
      { heading: 'Callers to look at', table: notesTable(suggestion), whenEmpty: 'None.' },
      {
        heading: 'Generalised',
        paragraphs: ['Beyond what was seen nothing is allowed but this.'],
        table: listTable('allowed though not seen', generalisations),
        whenEmpty: 'Nothing.',
      },
      ...(uncovered.length === 0 ? [] : [{ heading: 'Not let in', table: listTable('calls that went through', uncovered) }]),
    ],
    notCovered: evidence.missing,
    neverCovered: [],
  };
  return { document, csv: rulesTable(suggestion), json: () => [suggestionJson(suggestion, options)] };
}
