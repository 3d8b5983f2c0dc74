import { strict as assert } from 'node:assert';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Parsed } from '../../../ca/identity/parsed.ts';
import {
  parseSpiffeId,
  parseTrustDomainOrId,
  parseWorkloadSpiffeId,
  pathOf,
  spiffeIdFromSegments,
  trustDomainOf,
  workloadOf,
} from '../../../ca/identity/spiffe-id.ts';
import { parseMeshTrustDomain, parseTrustDomain } from '../../../ca/identity/trust-domain.ts';
import { DEFAULT_MESH_CONFIG } from '../../../mesh/admit/mesh-config.ts';
import { withAliases } from '../../../policy/compile/trust-domain.ts';
import { must } from './must.ts';
import { CORPORA, isPresent } from '../../shared-data.ts';

// Rows of Go tables leave zero values out; tables/istio rows carry `row` instead of the fields above it.
interface Case {
  readonly id: string;
  readonly kind?: string;
  readonly table?: string;
  readonly input?: string | readonly string[] | null;
  readonly id_?: string;
  readonly valid?: boolean;
  readonly member?: boolean;
  readonly trustDomain?: string;
  readonly path?: string | null;
  readonly errorContains?: string | null;
  readonly row?: {
    readonly input?: string;
    readonly spiffeURI?: readonly string[];
    readonly trustDomains?: readonly string[];
    readonly want?: Readonly<Record<string, unknown>>;
    readonly namespace?: string;
    readonly serviceAccount?: string;
    readonly trustDomain?: string;
    readonly expectedURI?: string;
    readonly expected?: { readonly Namespace?: string; readonly ServiceAccount?: string; readonly TrustDomain?: string };
  };
}

const file = join(CORPORA, 'spiffe-ids', 'cases.json');

// Istio's parser reads empty names out of `spiffe://td/ns//sa/`; the standard forbids the ID, and so do we (docs/ca.md).
const STRICTER_THAN_ISTIO: ReadonlySet<string> = new Set(['istio/identity/case-2']);

function agree<T>(row: Case, result: Parsed<T>): T | undefined {
  assert.equal(result.ok, row.valid === true, result.ok ? 'taken' : result.reason);
  if (result.ok) return result.value;
  assert.ok(result.reason.includes(row.errorContains ?? ''), `${result.reason} should say: ${row.errorContains}`);
  return undefined;
}

function checkIstio(row: Case): void {
  const { input = '', namespace = '', serviceAccount = '', trustDomain = '', expectedURI, expected } = row.row ?? {};
  if (row.table === 'TestGenSpiffeURI') {
    const id = parseWorkloadSpiffeId(must(parseMeshTrustDomain(trustDomain)), namespace, serviceAccount);
    assert.equal(id.ok ? id.value : undefined, expectedURI);
  } else if (row.table === 'TestExpandWithTrustDomains') checkAliases(row);
  else if (row.table === 'TestIdentity') {
    const id = parseSpiffeId(input);
    const workload = id.ok ? workloadOf(id.value) : undefined;
    if (STRICTER_THAN_ISTIO.has(row.id) || expected === undefined) assert.equal(workload, undefined);
    else
      assert.deepEqual(workload, {
        trustDomain: expected.TrustDomain,
        namespace: expected.Namespace,
        serviceAccount: expected.ServiceAccount,
      });
  }
}

/** Aliases count where policies name principals; names that are no SPIFFE IDs stay as they are. */
function checkAliases({ row: { spiffeURI = [], trustDomains = [], want = {} } = {} }: Case): void {
  const scheme = 'spiffe://';
  const meshConfig = {
    ...DEFAULT_MESH_CONFIG,
    trustDomain: must(parseTrustDomain('cluster.local')),
    trustDomainAliases: trustDomains.map((name) => must(parseTrustDomain(name))),
  };
  const expanded = spiffeURI.flatMap((uri) => {
    const principal = uri.startsWith(scheme) ? uri.slice(scheme.length) : uri;
    const prefix = uri.slice(0, uri.length - principal.length);
    return withAliases({ kind: 'exact', value: principal }, meshConfig).map((match) =>
      match.kind === 'exact' ? prefix + match.value : match.kind,
    );
  });
  assert.deepEqual([...new Set(expanded)].toSorted(), Object.keys(want).toSorted());
}

function check(row: Case): void {
  const text = typeof row.input === 'string' ? row.input : '';
  switch (row.kind) {
    case 'id': {
      const id = agree(row, parseSpiffeId(text));
      if (id !== undefined) assert.deepEqual([trustDomainOf(id), pathOf(id)], [row.trustDomain, row.path]);
      break;
    }
    case 'trust-domain': {
      const domain = agree(row, parseTrustDomainOrId(text));
      if (domain !== undefined) assert.equal(domain, row.trustDomain);
      break;
    }
    case 'segments': {
      const id = agree(
        row,
        spiffeIdFromSegments(must(parseTrustDomain('trustdomain')), Array.isArray(row.input) ? row.input : []),
      );
      if (id !== undefined) assert.equal(pathOf(id), row.path);
      break;
    }
    case 'memberOf':
      assert.equal(trustDomainOf(must(parseSpiffeId(row.id_ ?? ''))) === row.trustDomain, row.member);
      break;
    default:
      checkIstio(row);
  }
}

describe('SPIFFE IDs: the corpus', function () {
  if (!isPresent(file)) {
    it('corpus spiffe-ids', function () {
      this.skip();
    });
    return;
  }
  const { cases }: { cases: readonly Case[] } = JSON.parse(readFileSync(file, 'utf8'));
  const groups = Map.groupBy(cases, (row) => row.kind ?? row.table ?? 'other');
  for (const [group, rows] of groups) {
    it(`${group}: ${rows.length} rows`, () => {
      for (const row of rows) {
        try {
          check(row);
        } catch (error) {
          throw new Error(`${row.id}: ${String(error)}`, { cause: error });
        }
      }
    });
  }
});
