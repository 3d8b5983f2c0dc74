import type { Any } from '@bufbuild/protobuf/wkt';
import type { Resource } from '#gen/envoy/service/discovery/v3/discovery_pb.js';
import type { SecretView } from '../secret/store.ts';

/**
 * Told of each secret that a peer accepted, and by which stream: Envoy uses it for new connections from then on. The version is
 * undefined once that stream has ended.
 */
export type OnAccepted = (name: string, version: string | undefined, stream: object) => void;

interface Sent {
  readonly name: string;
  readonly version: string;
}

/** A response of either protocol: state-of-the-world has bare secrets, delta named ones. */
interface Response {
  readonly nonce: string;
  readonly resources: readonly (Any | Resource)[];
}

interface Request {
  readonly responseNonce: string;
  readonly errorDetail?: unknown;
}

const MOST_OUTSTANDING = 16;

/** What one stream was sent and has not answered yet, by nonce. */
export class Acknowledgements {
  readonly #view: SecretView;
  readonly #onAccepted: OnAccepted;
  readonly #outstanding = new Map<string, readonly Sent[]>();
  readonly #accepted = new Set<string>();

  constructor(view: SecretView, onAccepted: OnAccepted) {
    this.#view = view;
    this.#onAccepted = onAccepted;
  }

  /** To be called as a response is written, while the secrets in it are those of the view. */
  sent({ nonce, resources }: Response): void {
    const sent = resources.flatMap((resource) =>
      resource.$typeName === 'google.protobuf.Any' ? this.#named(resource) : [{ name: resource.name, version: resource.version }],
    );
    this.#outstanding.set(nonce, sent);
    if (this.#outstanding.size > MOST_OUTSTANDING) this.#outstanding.delete(this.#outstanding.keys().next().value ?? '');
  }

  answered({ responseNonce, errorDetail }: Request): void {
    const sent = this.#outstanding.get(responseNonce);
    if (sent === undefined) return;
    this.#outstanding.delete(responseNonce);
    if (errorDetail !== undefined) return;
    for (const { name, version } of sent) {
      this.#accepted.add(name);
      this.#onAccepted(name, version, this);
    }
  }

  /** To be called when the stream has ended. */
  ended(): void {
    for (const name of this.#accepted) this.#onAccepted(name, undefined, this);
    this.#accepted.clear();
  }

  /** Streams share the encoded secrets, so that which one this is can be told by identity. */
  #named(any: Any): readonly Sent[] {
    return this.#view.names().flatMap((name) => {
      const found = this.#view.lookup(name);
      return found.kind === 'present' && found.secret.any === any ? [{ name, version: found.secret.version }] : [];
    });
  }
}
