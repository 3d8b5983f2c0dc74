import { type Metadata, type sendUnaryData, type ServerDuplexStream, type ServerUnaryCall, status } from '@grpc/grpc-js';
import type {
  DeltaDiscoveryRequest,
  DeltaDiscoveryResponse,
  DiscoveryRequest,
  DiscoveryResponse,
} from '#gen/envoy/service/discovery/v3/discovery_pb.js';
import type { SecretStore } from '../secret/store.ts';
import { deltaChange, deltaRequest, NEW_DELTA } from '../subscription/delta.ts';
import type { Notice, Outcome } from '../subscription/notice.ts';
import { NEW_SOTW, present, requestReason, sotwChange, sotwRequest, sotwResponse } from '../subscription/sotw.ts';

import { Acknowledgements, type OnAccepted } from './acknowledged.ts';

export type OnNotice = (notice: Notice) => void;

/** The pure machine behind one stream. */
interface Machine<State, Request, Response> {
  readonly initial: State;
  request(state: State, request: Request, store: SecretStore): Outcome<State, Response>;
  change(state: State, store: SecretStore): Outcome<State, Response>;
}

/**
 * Runs a machine on a gRPC stream: requests and changes in, responses out. While the peer does not read, changes are
 * not queued; when it reads again it gets what is current then.
 */
function serve<
  State,
  Request extends DiscoveryRequest | DeltaDiscoveryRequest,
  Response extends DiscoveryResponse | DeltaDiscoveryResponse,
>(
  machine: Machine<State, Request, Response>,
  call: ServerDuplexStream<Request, Response>,
  store: SecretStore,
  onNotice: OnNotice,
  onAccepted: OnAccepted,
): void {
  const acknowledgements = new Acknowledgements(store, onAccepted);
  let state = machine.initial;
  let blocked = false;
  const apply = (outcome: Outcome<State, Response>) => {
    if (outcome.kind === 'refuse') {
      done();
      call.emit('error', { code: status.INVALID_ARGUMENT, details: outcome.reason });
      return;
    }
    state = outcome.state;
    for (const notice of outcome.notices) onNotice(notice);
    if (outcome.response === undefined) return;
    acknowledgements.sent(outcome.response);
    blocked = !call.write(outcome.response);
  };
  const changed = () => {
    if (!blocked) apply(machine.change(state, store));
  };
  const unsubscribe = store.onChange(changed);
  const done = () => {
    unsubscribe();
    acknowledgements.ended();
    call.removeAllListeners('data');
  };
  call.on('data', (request: Request) => {
    acknowledgements.answered(request);
    apply(machine.request(state, request, store));
  });
  call.on('drain', () => {
    blocked = false;
    changed();
  });
  call.on('end', () => {
    done();
    call.end();
  });
  call.on('cancelled', done);
  call.on('error', done);
}

export function streamSecrets(store: SecretStore, onNotice: OnNotice, onAccepted: OnAccepted = () => {}) {
  return (call: ServerDuplexStream<DiscoveryRequest, DiscoveryResponse>): void =>
    serve({ initial: NEW_SOTW, request: sotwRequest, change: sotwChange }, call, store, onNotice, onAccepted);
}

export function deltaSecrets(store: SecretStore, onNotice: OnNotice, onAccepted: OnAccepted = () => {}) {
  return (call: ServerDuplexStream<DeltaDiscoveryRequest, DeltaDiscoveryResponse>): void =>
    serve({ initial: NEW_DELTA, request: deltaRequest, change: deltaChange }, call, store, onNotice, onAccepted);
}

/** One answer with what there is now; UNAVAILABLE while a secret that was asked for has not arrived yet. */
export function fetchSecrets(store: SecretStore, onNotice: OnNotice) {
  return (
    call: ServerUnaryCall<DiscoveryRequest, DiscoveryResponse>,
    reply: sendUnaryData<DiscoveryResponse>,
    _trailers?: Metadata,
  ): void => {
    const { request } = call;
    const refusal = requestReason(request);
    if (refusal !== undefined) {
      reply({ code: status.INVALID_ARGUMENT, details: refusal });
      return;
    }
    const names = request.resourceNames.length === 0 ? store.names() : request.resourceNames;
    const unknown = names.filter((name) => store.lookup(name).kind === 'absent');
    if (unknown.length > 0) onNotice({ kind: 'unknown', names: unknown });
    if (names.some((name) => store.lookup(name).kind === 'pending')) {
      reply({ code: status.UNAVAILABLE, details: 'the first certificate has not been issued yet' });
      return;
    }
    reply(null, sotwResponse(present(new Set(names), store), ''));
  };
}
