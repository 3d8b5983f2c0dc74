import { isIP } from 'node:net';
import type { MeshConfig } from '../../mesh/model/mesh-config.ts';
import { parsePort } from '../../mesh/model/port.ts';
import type { Atom } from '../access/atom.ts';
import { bracketed, isOfToken } from '../access/values.ts';
import { type Facts, factsOf } from '../evaluate/facts.ts';
import type { Request } from '../evaluate/request.ts';
import type { Truth } from '../evaluate/truth.ts';
import type { JudgedCall } from './call.ts';
import { type Relation, isTemplate, relationOf } from './template.ts';

/**
 * What a record says of a call to one kind of port, and what it leaves open. `truth`s are those of policy/evaluate, asked of the attributes
 * that are known; no attribute is made up.
 */
export interface Known {
  readonly call: JudgedCall;
  readonly meshConfig: MeshConfig;
  /** False where the port takes no TLS: then nobody is authenticated. */
  readonly encrypted: boolean;
  /** Whether a proxy verifies tokens there; where none does, no request has one for policies. */
  readonly tokens: boolean;
}

/** Open: it differs from call to call, or nobody wrote it down. */
export type OpenTruth = Truth | 'open';

/** The values in which one attribute of such calls may come; undefined: nobody knows. */
export type Forms = readonly (string | undefined)[] | undefined;

/** A Service is called by any of its names; what is not one of a Service only by its own. */
function hostForms(service: string | undefined): Forms {
  if (service === undefined) return undefined;
  const [name = '', namespace, svc] = service.split('.');
  if (svc !== 'svc' || namespace === undefined) return [service];
  return [name, `${name}.${namespace}`, `${name}.${namespace}.svc`, service];
}

/** In which values what a dimension is about comes with such calls. */
export function formsOf(dimension: string, { call, encrypted, tokens }: Known): Forms {
  const tcp = call.protocol === 'TCP';
  const address = call.address !== undefined && isIP(call.address) !== 0 ? call.address : undefined;
  switch (dimension) {
    case 'caller':
      return [encrypted ? call.principal : undefined];
    case 'port':
      return call.port === undefined ? undefined : [String(call.port)];
    case 'method':
      return tcp
        ? [undefined]
        : call.method === undefined || !/^[A-Z]+$/.test(call.method) || call.method === 'OTHER'
          ? undefined
          : [call.method];
    case 'host':
      return tcp ? [undefined] : hostForms(call.service);
    case 'path':
      return tcp ? [undefined] : call.path === undefined ? undefined : [call.path];
    case 'source.ip':
      return address === undefined ? undefined : [address];
    case 'remote.ip':
      // Of a request, what X-Forwarded-For says may count.
      return tcp && address !== undefined ? [address] : undefined;
    case 'connection.sni':
      // A connection through a port that takes no TLS may be TLS of the application's own.
      return call.mtls || tcp ? undefined : [undefined];
    case 'destination.ip':
      return undefined;
    default:
      if (isOfToken(dimension)) return tokens && !tcp ? undefined : [undefined];
      if (bracketed(dimension, 'extAuthz') !== undefined) return undefined;
      if (bracketed(dimension, 'request.headers') !== undefined) return tcp ? [undefined] : undefined;
      // Of these policy/evaluate knows by itself that nothing can be said.
      return [undefined];
  }
}

function factsFor(
  dimension: string,
  value: string | undefined,
  { call, meshConfig }: Known,
): { readonly facts: Facts; readonly request: Request } {
  const is = (name: string): string | undefined => (dimension === name ? value : undefined);
  const port = dimension === 'port' ? parsePort(Number(value)) : undefined;
  const request: Request = {
    source: { principal: is('caller'), ip: is('source.ip'), remoteIp: is('remote.ip') },
    destination: { namespace: '', labels: {}, ip: undefined, port, protocol: call.protocol, sni: undefined },
    http: { method: is('method'), host: is('host'), path: is('path'), headers: new Map() },
    token: undefined,
  };
  return { facts: factsOf(request, meshConfig, true, undefined), request };
}

const OF_QUERY = 'request.headers[:path]';

/** Relations take long to find, and many policies have the same values. */
const relations = new Map<string, Relation>();
const MOST_KEPT = 20_000;

function keptRelation(atom: Atom, path: string): Relation {
  const key = `${atom.field} ${atom.text}\n${path}`;
  const known = relations.get(key);
  if (known !== undefined) return known;
  const made = relationOf(atom, path, atom.field === OF_QUERY);
  if (relations.size >= MOST_KEPT) relations.clear();
  relations.set(key, made);
  return made;
}

function ofTemplate(atom: Atom, path: string): OpenTruth {
  const relation = keptRelation(atom, path);
  return relation === 'some' ? 'open' : relation === 'all';
}

/** Whether one value of a policy is what a call has, where it has this value. */
export function atomTruth(atom: Atom, value: string | undefined, known: Known): OpenTruth {
  if (atom.dimension === 'path' && value !== undefined) {
    if (isTemplate(value)) return ofTemplate(atom, value);
    // Records leave queries out.
    if (atom.field === OF_QUERY) return atom.text.endsWith('*') ? ofTemplate(atom, value) : 'open';
  }
  const { facts, request } = factsFor(atom.dimension, value, known);
  return atom.truth(facts, request);
}
