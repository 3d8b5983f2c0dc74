import type { Snapshot } from '../../../mesh/model/snapshot.ts';
import type { Destination } from '../../../policy/access/world.ts';
import { evaluate } from '../../../policy/evaluate/evaluate.ts';
import type { Request } from '../../../policy/evaluate/request.ts';
import type { ObservedCall } from '../../../policy/observed/call.ts';
import { policiesFor } from '../../../policy/select.ts';
import type { Suggestion } from '../../../policy/suggest/suggestion.ts';
import type { GeneratedMesh } from './generated.ts';

// What a suggestion should allow, in the plainest words: today's grants, what was seen, and what it says that it generalises.

export function canonical(id: string | undefined): string | undefined {
  return id?.replace('spiffe://', '').replace(/^old\.mesh\//, 'cluster.local/');
}

/** As Envoy hands paths to policies. */
function encoded(path: string): string {
  return path.replace(/["{}]/g, (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`);
}

function isPath(template: string, path: string): boolean {
  if (template === '' || template === '{other}') return true;
  const parts = template.split('/').map((segment) => {
    if (segment === '{rest}') return '.*';
    if (segment.includes('{id}') || segment.includes('*')) return '[^/]+';
    return encoded(segment).replace(/[.*+?^$()|[\]\\]/g, String.raw`\$&`);
  });
  return new RegExp(`^${parts.join('/')}$`).test(encoded(path));
}

function isLike(call: ObservedCall, { source, destination, http }: Request, { ports }: Destination): boolean {
  if (call.decision === 'DENY' || call.principal === undefined || canonical(call.principal) !== canonical(source.principal))
    return false;
  // Where records do not tell the port it is one that speaks the protocol.
  const spoken = ports.filter(({ protocol }) => (protocol === 'TCP') === (call.protocol === 'TCP')).map(({ port }) => port);
  if (call.port === undefined && spoken.length > 0 && !spoken.some((port) => port === destination.port)) return false;
  if (call.port !== undefined && call.port !== destination.port) return false;
  if (call.protocol === 'TCP') return true;
  if (destination.protocol === 'TCP') return false;
  const method = call.protocol === 'GRPC' ? 'POST' : call.method;
  return (method === 'OTHER' || method === http.method) && isPath(call.path ?? '', http.path ?? '');
}

export class Oracle {
  readonly #mesh: GeneratedMesh;
  readonly #calls = new Map<string, ObservedCall[]>();
  /** Whose policy selects a workload, too, as the suggestion says. */
  readonly #alsoBy = new Map<string, string[]>();
  readonly #base: Snapshot;

  constructor(mesh: GeneratedMesh, suggestion: Suggestion) {
    this.#mesh = mesh;
    this.#base = mesh.snapshot;
    for (const call of mesh.calls) this.#calls.set(call.destination, [...(this.#calls.get(call.destination) ?? []), call]);
    for (const text of suggestion.generalisations) {
      const [, name = '', others] = /^(\S+): its labels select (.*) as well: /.exec(text) ?? [];
      for (const other of others?.split(', ') ?? []) this.#alsoBy.set(other, [...(this.#alsoBy.get(other) ?? []), name]);
    }
  }

  #destination(name: string): Destination {
    const found = this.#mesh.destinations.find((one) => one.name === name);
    if (found === undefined) throw new RangeError(name);
    return found;
  }

  #denies(destination: Destination): boolean {
    return policiesFor(this.#base, destination).some(({ action, dryRun }) => action === 'DENY' && !dryRun);
  }

  governed(destination: Destination): boolean {
    return policiesFor(this.#base, destination).some(({ action, dryRun }) => action === 'ALLOW' && !dryRun);
  }

  /** Left to conditions of which records say nothing. */
  conditional(destination: Destination): boolean {
    return policiesFor(this.#base, destination).some(({ rules }) => rules.some(({ when }) => when.length > 0));
  }

  allows(request: Request, destination: Destination): boolean {
    const today = evaluate(this.#base, request);
    if (today.decision === 'DENY' && today.policy !== undefined) return false;
    if (today.decision === 'ALLOW' && today.policy !== undefined) return true;
    return [destination.name, ...(this.#alsoBy.get(destination.name) ?? [])].some((name) => {
      const whose = this.#destination(name);
      if (this.#mesh.gateways.has(name) && !this.governed(whose)) return true;
      // Headers are a matter of HTTP.
      const left = this.conditional(whose);
      return this.callsTo(name).some(
        (call) =>
          !(left && call.protocol !== 'TCP') &&
          isLike(call, request, whose) &&
          // A DENY rule about methods denies every connection.
          !(call.protocol === 'TCP' && this.#denies(whose)),
      );
    });
  }

  callsTo(name: string): readonly ObservedCall[] {
    return this.#calls.get(name) ?? [];
  }
}
