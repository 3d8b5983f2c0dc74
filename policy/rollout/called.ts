import type { PolicyMatch } from '../../mesh/model/authorization-policy.ts';
import type { AcceptedCalls } from '../../mesh/model/namespace-rollout.ts';
import { remembered } from '../../mesh/model/remembered.ts';
import { ofText } from '../access/value-language.ts';
import { isText, valueOf } from '../evaluate/text.ts';
import type { ObservedCall } from '../observed/call.ts';
import { isTemplate, type Relation, relationOf } from '../observed/template.ts';

type Test = (recorded: string) => Relation;

/** What records write for a method that is none of the usual ones, or for one too many. */
const NOT_TOLD: ReadonlySet<string> = new Set(['', 'OTHER', '{other}']);

function matchOf(written: string): PolicyMatch {
  return written.includes('{*}') || written.includes('{**}') ? { kind: 'template', value: written } : valueOf(written);
}

/** All of what a record stands for is meant if one value means all of it: what several mean together is not looked for. */
function anyOf(tests: readonly Test[]): Test {
  const known = new Map<string, Relation>();
  return (recorded) => {
    const before = known.get(recorded);
    if (before !== undefined) return before;
    const found = new Set(tests.map((test) => test(recorded)));
    const relation = found.has('all') ? 'all' : found.has('some') ? 'some' : 'none';
    known.set(recorded, relation);
    return relation;
  };
}

function ofMethod(written: string): Test {
  const value = valueOf(written);
  return (recorded) => {
    if (value.kind === 'present' || recorded === written) return 'all';
    return NOT_TOLD.has(recorded) ? 'some' : isText(value, recorded) ? 'all' : 'none';
  };
}

/** A path with what records write for identifiers is compared with records as they are; others as policies compare them. */
function ofPath(written: string): Test {
  const value = matchOf(written);
  const ofRecords = isTemplate(written);
  const read = { text: written, languages: ofText(value) };
  return (recorded) => {
    if (value.kind === 'present' || recorded === written) return 'all';
    if (recorded === '') return 'some';
    if (!isTemplate(recorded)) return isText(value, recorded) ? 'all' : 'none';
    if (!ofRecords) return relationOf(read, recorded, false);
    return value.kind !== 'exact' && isText(value, recorded) ? 'all' : 'some';
  };
}

/** Made once for each entry: they are asked of every call. */
const methodTest = remembered((methods: readonly string[]): Test => anyOf(methods.map(ofMethod)));
const pathTest = remembered((paths: readonly string[]): Test => anyOf(paths.map(ofPath)));

/** Whether an entry says something of what only requests over HTTP have. */
export function isOfRequests({ methods, paths }: AcceptedCalls['to']): boolean {
  return methods !== undefined || paths !== undefined;
}

/**
 * Whether calls that stand behind a record are among those that an entry is for, by method and path. Connections over TCP have neither, so
 * that an entry that names one is for none of them.
 */
export function calledAs(to: AcceptedCalls['to'], { protocol, method, path }: ObservedCall): Relation {
  const { methods, paths } = to;
  if (!isOfRequests(to)) return 'all';
  if (protocol === 'TCP') return 'none';
  const both = new Set([
    methods === undefined ? 'all' : methodTest(methods)(protocol === 'GRPC' ? 'POST' : (method ?? '')),
    paths === undefined ? 'all' : pathTest(paths)(path ?? ''),
  ]);
  return both.has('none') ? 'none' : both.has('some') ? 'some' : 'all';
}
