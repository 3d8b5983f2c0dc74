import type { When } from '../../mesh/model/authorization-policy.ts';
import { claimEquals, claimIsOneOf, claimPath, requestPrincipals } from './claims.ts';
import { namespaces, principals, serviceAccounts, trustDomains } from './identity.ts';
import { filterMetadata, metadataKey } from './metadata.ts';
import { headers } from './operation.ts';
import { type RuleContext, blocks, condition } from './field.ts';
import { type Stance, doubt } from './stance.ts';
import { type OperationLeaf, type SourceLeaf, type Tree, any, leaf } from './test.ts';
import { parseBlock, parseMatch, textOf } from './value.ts';

type SourceTest = (values: readonly string[], stance: Stance, context: RuleContext) => Tree<SourceLeaf>;
type OperationTest = (values: readonly string[], stance: Stance) => Tree<OperationLeaf>;

type Key =
  | { readonly side: 'source'; readonly http: boolean; readonly test: SourceTest }
  | { readonly side: 'operation'; readonly http: boolean; readonly test: OperationTest };

/** Every key without a name in brackets, as https://istio.io/latest/docs/reference/config/security/conditions/ lists them. */
const KEYS: ReadonlyMap<string, Key> = new Map<string, Key>([
  ['source.ip', { side: 'source', http: false, test: (values, stance) => blocks('direct-address', values, stance) }],
  ['remote.ip', { side: 'source', http: false, test: (values, stance) => blocks('remote-address', values, stance) }],
  ['source.namespace', { side: 'source', http: false, test: (values) => namespaces(values.map(parseMatch)) }],
  [
    'source.principal',
    { side: 'source', http: false, test: (values, _, { meshConfig }) => principals(values.map(parseMatch), meshConfig) },
  ],
  [
    'source.serviceAccount',
    {
      side: 'source',
      http: false,
      test: (values, stance, { namespace }) => serviceAccounts(values.map(parseMatch), namespace, doubt(stance)),
    },
  ],
  ['source.trustDomain', { side: 'source', http: false, test: (values) => trustDomains(values.map(parseMatch)) }],
  ['request.auth.principal', { side: 'source', http: true, test: (values) => requestPrincipals(values.map(parseMatch)) }],
  ['request.auth.audiences', { side: 'source', http: true, test: (values) => claimIsOneOf(['aud'], values.map(parseMatch)) }],
  ['request.auth.presenter', { side: 'source', http: true, test: (values) => claimEquals(['azp'], values.map(parseMatch)) }],
  ['destination.ip', { side: 'operation', http: false, test: destinationAddresses }],
  ['destination.port', { side: 'operation', http: false, test: destinationPorts }],
  [
    'connection.sni',
    {
      side: 'operation',
      http: false,
      test: (values) => any(values.map((value) => leaf({ test: 'server-name', text: textOf(parseMatch(value)) }))),
    },
  ],
]);

function destinationAddresses(values: readonly string[], stance: Stance): Tree<OperationLeaf> {
  return any(
    values.map((text) => {
      const block = parseBlock(text);
      return block === undefined ? doubt(stance) : leaf({ test: 'destination-address', block });
    }),
  );
}

function destinationPorts(values: readonly string[], stance: Stance): Tree<OperationLeaf> {
  return any(
    values.map((text) =>
      /^\d{1,5}$/.test(text) && Number(text) <= 65535 ? leaf({ test: 'destination-port', port: Number(text) }) : doubt(stance),
    ),
  );
}

const HEADER = /^request\.headers\[([^[\]]+)\]$/;
const CLAIMS = 'request.auth.claims';

function keyOf(text: string): Key | undefined {
  const known = KEYS.get(text);
  if (known !== undefined) return known;
  const name = HEADER.exec(text)?.[1];
  if (name !== undefined)
    return { side: 'operation', http: true, test: (values, stance) => headers(headerName(name), values.map(parseMatch), stance) };
  const metadata = metadataKey(text);
  if (metadata !== undefined) return { side: 'operation', http: false, test: (values) => filterMetadata(metadata, values) };
  const path = text.startsWith(CLAIMS) ? claimPath(text.slice(CLAIMS.length)) : undefined;
  return path === undefined
    ? undefined
    : { side: 'source', http: true, test: (values) => claimIsOneOf(path, values.map(parseMatch)) };
}

/** Header names ignore case; Envoy keeps Host as `:authority`. */
function headerName(name: string): string {
  const lower = name.toLowerCase();
  return lower === 'host' ? ':authority' : lower;
}

export interface WhenTests {
  readonly asksForHttp: boolean;
  readonly source: readonly Tree<SourceLeaf>[];
  readonly operation: readonly Tree<OperationLeaf>[];
}

/** The `when` list of a rule. On TCP what only HTTP has is left out; the caller decides what that means for the rule. */
export function whenTests(conditions: readonly When[], context: RuleContext): WhenTests {
  const source: Tree<SourceLeaf>[] = [];
  const operation: Tree<OperationLeaf>[] = [];
  let asksForHttp = false;
  for (const when of conditions) {
    const key = keyOf(when.key);
    if (key === undefined) {
      source.push(doubt(context.stance));
      continue;
    }
    if (key.http) {
      asksForHttp = true;
      if (context.layer === 'tcp') continue;
    }
    if (key.side === 'source')
      source.push(condition(when.values, context.stance, (values, stance) => key.test(values, stance, context)));
    else operation.push(condition(when.values, context.stance, (values, stance) => key.test(values, stance)));
  }
  return { asksForHttp, source, operation };
}
