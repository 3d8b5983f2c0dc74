import type { Parsed } from '../../ca/identity/parsed.ts';
import { readRequests } from '../evaluate/read-requests.ts';
import type { Request } from '../evaluate/request.ts';
import { type Fields, isRecord, type WrittenTest } from './read.ts';

/** One request and what is expected of it. */
export interface Case {
  readonly test: WrittenTest;
  /** What is its own among those of its test: `shop/mobile -> shop/users:8080 GET /users/7`; empty when it is the only one. */
  readonly label: string;
  readonly request: Request;
  readonly expect: 'ALLOW' | 'DENY';
  readonly by: string | undefined;
  readonly rule: number | undefined;
}

/** How names of a test are looked up in the mesh. Values are fields as `gatehouse policy check` takes them. */
export interface Lookup {
  readonly caller: (written: string) => Parsed<Fields>;
  readonly destination: (written: string) => Parsed<{ readonly destination: Fields; readonly host: string | undefined }>;
  /** Everybody there is to deny: known workloads by their SPIFFE IDs, strangers, plain text. */
  readonly everybody: readonly string[];
}

export interface Expanded {
  readonly cases: readonly Case[];
  readonly faults: readonly string[];
}

/** A file that multiplies to more is a mistake, or meant to be one. */
export const MOST_CASES = 100_000;

function fieldsOf(value: unknown): Fields {
  return isRecord(value) ? value : {};
}

type Choice = readonly (string | undefined)[];

interface Caller {
  readonly written: string | undefined;
  readonly expect: 'ALLOW' | 'DENY';
}

function callersOf({ from, onlyFrom, expect }: WrittenTest, lookup: Lookup): readonly Caller[] {
  if (onlyFrom === undefined) return (from ?? [undefined]).map((written) => ({ written, expect: expect ?? 'DENY' }));
  const idOf = (written: string): string => {
    const found = lookup.caller(written);
    return found.ok ? JSON.stringify(found.value) : written;
  };
  const allowed = new Set(onlyFrom.map(idOf));
  const others = lookup.everybody.filter((one) => !allowed.has(idOf(one)));
  return [
    ...onlyFrom.map((written): Caller => ({ written, expect: 'ALLOW' })),
    ...others.map((written): Caller => ({ written, expect: 'DENY' })),
  ];
}

function caseOf(
  test: WrittenTest,
  caller: Caller,
  [to, method, path, host]: Choice,
  several: boolean,
  lookup: Lookup,
): { readonly made?: Case; readonly faults: readonly string[] } {
  const source = caller.written === undefined ? { ok: true as const, value: {} } : lookup.caller(caller.written);
  const target = to === undefined ? { ok: true as const, value: { destination: {}, host: undefined } } : lookup.destination(to);
  if (!source.ok) return { faults: [`${test.at}.from: ${source.reason}`] };
  if (!target.ok) return { faults: [`${test.at}.to: ${target.reason}`] };
  const base = test.request;
  const tcp = { ...target.value.destination, ...fieldsOf(base['destination']) }['protocol'] === 'TCP';
  const http = tcp
    ? fieldsOf(base['request'])
    : {
        method: 'GET',
        path: '/',
        ...(target.value.host === undefined ? {} : { host: target.value.host }),
        ...fieldsOf(base['request']),
        ...(method === undefined ? {} : { method }),
        ...(path === undefined ? {} : { path }),
        ...(host === undefined ? {} : { host }),
      };
  const input = {
    ...base,
    source: { ...fieldsOf(base['source']), ...source.value },
    destination: { ...target.value.destination, ...fieldsOf(base['destination']) },
    request: http,
  };
  const { requests, faults, unknown } = readRequests([input]);
  const [read] = requests;
  const wrong = [...faults, ...unknown].map((fault) => `${test.at}${fault.replace(/^\[0\]/, '')}`);
  if (read === undefined || wrong.length > 0) return { faults: wrong };
  const parts = [
    caller.written,
    to === undefined ? undefined : `-> ${to}`,
    tcp ? undefined : read.request.http.method,
    tcp ? undefined : read.request.http.path,
  ];
  const label = several ? parts.filter((part) => part !== undefined).join(' ') : '';
  const sure = caller.expect === 'ALLOW' || test.onlyFrom === undefined;
  return {
    faults: [],
    made: {
      test,
      label,
      request: read.request,
      expect: caller.expect,
      by: sure ? test.by : undefined,
      rule: sure ? test.rule : undefined,
    },
  };
}

/** Every combination of what the tests list. */
export function expand(tests: readonly WrittenTest[], lookup: Lookup): Expanded {
  const cases: Case[] = [];
  const faults = new Set<string>();
  for (const test of tests) {
    const callers = callersOf(test, lookup);
    const [tos, methods, paths, hosts]: readonly Choice[] = [test.to, test.method, test.path, test.host].map(
      (values) => values ?? [undefined],
    );
    const choices = (tos ?? []).flatMap((to) =>
      (methods ?? []).flatMap((method) =>
        (paths ?? []).flatMap((path) => (hosts ?? []).map((host): Choice => [to, method, path, host])),
      ),
    );
    if (cases.length + callers.length * choices.length > MOST_CASES) {
      faults.add(`${test.at}: multiplies to more than ${MOST_CASES} requests; split it`);
      return { cases: [], faults: [...faults] };
    }
    for (const caller of callers) {
      for (const choice of choices) {
        const { made, faults: wrong } = caseOf(test, caller, choice, callers.length * choices.length > 1, lookup);
        for (const one of wrong) faults.add(one);
        if (made !== undefined) cases.push(made);
      }
    }
  }
  return { cases, faults: [...faults] };
}
