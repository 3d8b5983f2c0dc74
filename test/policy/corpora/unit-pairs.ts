import { parse } from 'yaml';
import { casesOf } from './corpus.ts';
import { listOf, type Record, recordOf } from './golden/record.ts';

interface Row {
  readonly id: string;
  readonly table: string;
  readonly row: Record;
}

/** One row: a rule of ours and the message that Istio makes of it, both as an RBAC rule that denies what it matches. */
export interface Pair {
  readonly id: string;
  readonly layer: 'http' | 'tcp';
  readonly rule: Record;
  readonly want: Record;
}

const ANY = { any: true };
const SCHEME = 'spiffe://';

function source(field: string, value: string): Record {
  return { from: [{ source: { [field]: [value] } }] };
}

function operation(field: string, value: string): Record {
  return { to: [{ operation: { [field]: [value] } }] };
}

function when(key: string, value: string): Record {
  return { when: [{ key, values: [value] }] };
}

function principal(want: unknown): Record {
  return { principals: [want], permissions: [ANY] };
}

function permission(want: unknown): Record {
  return { principals: [ANY], permissions: [want] };
}

/** Istio's form for waypoints reads the peer from what they write; a sidecar reads the certificate. */
function authenticated(want: Record): Record {
  const state = recordOf(want['filterState']);
  return state['stringMatch'] === undefined ? want : { authenticated: { principalName: state['stringMatch'] } };
}

function textOf(row: Record, name: string): string {
  const value = row[name];
  return typeof value === 'string' ? value : '';
}

const CONDITION_OF: Readonly<globalThis.Record<string, string>> = Object.freeze({
  destIPGenerator: 'destination.ip',
  destPortGenerator: 'destination.port',
  connSNIGenerator: 'connection.sni',
  srcIPGenerator: 'source.ip',
});

function generated(row: Record): Omit<Pair, 'id' | 'layer'> | undefined {
  const name = textOf(row, 'name');
  const value = textOf(row, 'value');
  const want = recordOf(row['want']);
  if (row['want'] === undefined || name.startsWith('envoyFilter')) return undefined;
  const key = CONDITION_OF[name];
  if (key !== undefined) return { rule: when(key, value), want: key.startsWith('source') ? principal(want) : permission(want) };
  if (name.startsWith('srcNamespace')) return { rule: source('namespaces', value), want: principal(authenticated(want)) };
  if (name.startsWith('srcTrustDomain')) return { rule: source('trustDomains', value), want: principal(authenticated(want)) };
  if (name.startsWith('srcPrincipal')) return { rule: source('principals', value), want: principal(authenticated(want)) };
  if (name.startsWith('path')) return { rule: operation('paths', value), want: permission(want) };
  if (name.startsWith('method')) return { rule: operation('methods', value), want: permission(want) };
  if (name.startsWith('host')) return { rule: operation('hosts', value), want: permission(want) };
  return undefined;
}

/** A text matcher of Istio's; with a prefix it is about identities, which here all begin with the scheme. */
function matcher(value: string, prefix: string, want: Record): Omit<Pair, 'id' | 'layer'> {
  if (prefix === '')
    return { rule: when('request.headers[x-text]', value), want: permission({ header: { name: 'x-text', stringMatch: want } }) };
  const written = JSON.stringify(want).replaceAll(prefix, SCHEME);
  return {
    rule: source('principals', value),
    want: principal({ authenticated: { principalName: JSON.parse(written) as unknown } }),
  };
}

function pairOf({ table, row }: Row): Omit<Pair, 'id' | 'layer'> | undefined {
  const expected = recordOf(row['Expect']);
  const value = textOf(row, 'V');
  const text = textOf(row, 'str');
  const want = recordOf(row['want']);
  switch (table) {
    case 'TestRequestPrincipal':
      return row['want'] === undefined
        ? undefined
        : { rule: source('requestPrincipals', textOf(row, 'in')), want: principal(parse(textOf(row, 'want'))) };
    case 'TestGenerator':
      return generated(row);
    case 'TestHeaderMatcher':
      return { rule: when(`request.headers[${textOf(row, 'K')}]`, value), want: permission({ header: expected }) };
    case 'TestHostMatcher':
      return { rule: operation('hosts', value), want: permission({ header: expected }) };
    case 'TestPathMatcher':
      return { rule: operation('paths', value), want: permission({ urlPath: expected }) };
    case 'TestPathTemplateMatcher': {
      const type = 'type.googleapis.com/envoy.extensions.path.match.uri_template.v3.UriTemplateMatchConfig';
      const uriTemplate = { name: 'uri-template', typedConfig: { '@type': type, ...want } };
      return { rule: operation('paths', textOf(row, 'path')), want: permission({ uriTemplate }) };
    }
    case 'TestStringMatcherWithPrefix':
      return matcher(textOf(row, 'v'), textOf(row, 'prefix'), want);
    case 'TestStringMatcherPrefix':
      return matcher(`${text}*`, '', want);
    case 'TestStringMatcherSuffix':
      return matcher(`*${text}`, '', want);
    case 'TestStringMatcherExact':
      return row['ignoreCase'] === true
        ? { rule: operation('hosts', text), want: permission({ header: { name: ':authority', stringMatch: want } }) }
        : matcher(text, '', want);
    case 'TestRule_Principal': {
      const { values, notValues } = recordOf(row['r']);
      const rule = { from: [{ source: { principals: values, notPrincipals: notValues } }] };
      return { rule, want: principal({ andIds: { ids: listOf(row['want']).map((one) => authenticated(recordOf(one))) } }) };
    }
    default:
      return undefined;
  }
}

/** The rows that are run here: each has a message that Envoy can be given. */
export function pairs(): readonly Pair[] {
  return casesOf<Row>('authz-units').flatMap((one) => {
    const found = pairOf(one);
    return found === undefined ? [] : [{ id: one.id, layer: one.row['forTCP'] === true ? 'tcp' : 'http', ...found }];
  });
}
