import { createHash } from 'node:crypto';
import { create } from '@bufbuild/protobuf';
import { type sendUnaryData, type Server, type ServerUnaryCall, type ServerWritableStream, status } from '@grpc/grpc-js';
import {
  type JWTBundlesRequest,
  type JWTBundlesResponse,
  JWTBundlesResponseSchema,
  type JWTSVIDRequest,
  type JWTSVIDResponse,
  JWTSVIDResponseSchema,
  SpiffeWorkloadAPI,
  type ValidateJWTSVIDRequest,
  type ValidateJWTSVIDResponse,
  ValidateJWTSVIDResponseSchema,
  type X509BundlesRequest,
  type X509BundlesResponse,
  type X509SVIDRequest,
  type X509SVIDResponse,
} from '#gen/gatehouse/workload/v1/spiffe_workload_api_pb.js';
import { rpc } from '../grpc.ts';
import type { TrustBundle } from '../identity/bundle.ts';
import type { JwtBundles } from '../jwt/bundles.ts';
import type { JwtCache } from '../jwt/cache.ts';
import { audienceReason } from '../jwt/audience.ts';
import { type CallRefusal, headerRefusal, serveStream, type StreamAnswer } from './call.ts';
import type { WorkloadIdentity } from './identity.ts';
import { bundlesResponse, domainKey, svidResponse } from './x509.ts';

export interface WorkloadApi {
  readonly identity: WorkloadIdentity;
  readonly jwtCache: JwtCache;
  readonly jwtBundles: JwtBundles;
}

const METHODS = SpiffeWorkloadAPI.method;
const SERVICE = {
  fetchX509SVID: rpc(METHODS.fetchX509SVID),
  fetchX509Bundles: rpc(METHODS.fetchX509Bundles),
  fetchJWTSVID: rpc(METHODS.fetchJWTSVID),
  fetchJWTBundles: rpc(METHODS.fetchJWTBundles),
  validateJWTSVID: rpc(METHODS.validateJWTSVID),
};

/** Adds the SPIFFE Workload API to a server. Who can reach that server is the workload. */
export function addWorkloadApi(server: Server, api: WorkloadApi): void {
  const { identity, jwtBundles } = api;
  const onChange = (listener: () => void) => identity.onChange(listener);
  server.addService(SERVICE, {
    fetchX509SVID: (call: ServerWritableStream<X509SVIDRequest, X509SVIDResponse>) =>
      serveStream(call, onChange, () => x509Svid(identity)),
    fetchX509Bundles: (call: ServerWritableStream<X509BundlesRequest, X509BundlesResponse>) =>
      serveStream(call, onChange, () => x509Bundles(identity)),
    fetchJWTBundles: (call: ServerWritableStream<JWTBundlesRequest, JWTBundlesResponse>) => {
      jwtBundles.want();
      const onEither = (listener: () => void) => {
        const ends = [identity.onChange(listener), jwtBundles.onChange(listener)];
        return () => ends.forEach((end) => end());
      };
      serveStream(call, onEither, () => jwtBundlesAnswer(api));
    },
    fetchJWTSVID: unary<JWTSVIDRequest, JWTSVIDResponse>((request) => fetchJwtSvid(api, request)),
    validateJWTSVID: unary<ValidateJWTSVIDRequest, ValidateJWTSVIDResponse>((request) => validateJwtSvid(api, request)),
  });
}

type Answer<Response> = Response | { readonly refusal: CallRefusal };

function unary<Request, Response extends object>(answer: (request: Request) => Promise<Answer<Response>>) {
  return (call: ServerUnaryCall<Request, Response>, reply: sendUnaryData<Response>): void => {
    const refused = headerRefusal(call.metadata);
    if (refused !== undefined) return reply(refused);
    answer(call.request).then(
      (found) => ('refusal' in found ? reply(found.refusal) : reply(null, found)),
      () => reply({ code: status.INTERNAL, details: 'internal error' }),
    );
  };
}

const refuse = (code: status, details: string): { readonly refusal: CallRefusal } => ({ refusal: { code, details } });

/** What there is to say about an identity that is not there. */
function without<Response>(identity: WorkloadIdentity): StreamAnswer<Response> | undefined {
  const state = identity.state();
  return state.kind === 'denied'
    ? { kind: 'end', refusal: { code: status.PERMISSION_DENIED, details: `no identity issued: ${state.reason}` } }
    : undefined;
}

function x509Svid(identity: WorkloadIdentity): StreamAnswer<X509SVIDResponse> {
  const [state, bundle] = [identity.state(), identity.bundle()];
  if (state.kind !== 'present' || bundle === undefined) return without(identity) ?? { kind: 'wait' };
  const version = versionOf([state.svid.chainPem, ...bundleParts(identity, bundle)]);
  return { kind: 'say', version, response: () => svidResponse(state.svid, bundle, identity) };
}

function x509Bundles(identity: WorkloadIdentity): StreamAnswer<X509BundlesResponse> {
  const bundle = identity.bundle();
  // Bundles are told to those who have an identity here, and to no others.
  if (identity.state().kind !== 'present' || bundle === undefined) return without(identity) ?? { kind: 'wait' };
  const response = () => bundlesResponse(bundle, identity);
  return { kind: 'say', version: versionOf(bundleParts(identity, bundle)), response };
}

function bundleParts(identity: WorkloadIdentity, bundle: TrustBundle): readonly string[] {
  const crls = identity.crls().map((crl) => crl.toString('base64'));
  return [bundle.pem, ...crls, ...[...identity.federated()].flatMap(([domain, { pem }]) => [domain, pem])];
}

function versionOf(parts: readonly string[]): string {
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex');
}

function jwtBundlesAnswer({ identity, jwtBundles }: WorkloadApi): StreamAnswer<JWTBundlesResponse> {
  if (identity.state().kind !== 'present') return without(identity) ?? { kind: 'wait' };
  const found = jwtBundles.current();
  if (found.kind === 'pending') return { kind: 'wait' };
  if (found.kind === 'unsupported') return { kind: 'end', ...refuse(status.UNIMPLEMENTED, found.reason) };
  const entries = [...found.sets].map(([domain, { json }]): [string, Buffer] => [domainKey(domain), Buffer.from(json)]);
  const response = () => create(JWTBundlesResponseSchema, { bundles: Object.fromEntries(entries) });
  return { kind: 'say', version: versionOf([...found.sets].flatMap(([domain, { json }]) => [domain, json])), response };
}

async function fetchJwtSvid({ identity, jwtCache }: WorkloadApi, request: JWTSVIDRequest): Promise<Answer<JWTSVIDResponse>> {
  const reason = audienceReason(request.audience);
  if (reason !== undefined) return refuse(status.INVALID_ARGUMENT, reason);
  const state = identity.state();
  if (state.kind === 'denied') return refuse(status.PERMISSION_DENIED, `no identity issued: ${state.reason}`);
  if (request.spiffeId !== '' && request.spiffeId !== identity.id)
    return refuse(status.PERMISSION_DENIED, 'no identity issued: the SPIFFE ID asked for is not of this workload');
  if (state.kind === 'pending') return refuse(status.UNAVAILABLE, 'the first certificate has not been issued yet');
  const token = await jwtCache.token(request.audience);
  if (token.kind === 'failed') return refuse(jwtFailure(token.code), token.reason);
  return create(JWTSVIDResponseSchema, { svids: [{ spiffeId: identity.id, svid: token.svid }] });
}

/** The authority's answer to us, as the workload should take it. */
function jwtFailure(code: string): status {
  switch (code) {
    case 'PERMISSION_DENIED':
    case 'UNAUTHENTICATED':
      return status.PERMISSION_DENIED;
    case 'INVALID_ARGUMENT':
      return status.INVALID_ARGUMENT;
    case 'UNIMPLEMENTED':
      return status.UNIMPLEMENTED;
    default:
      return status.UNAVAILABLE;
  }
}

async function validateJwtSvid(
  { identity, jwtBundles }: WorkloadApi,
  request: ValidateJWTSVIDRequest,
): Promise<Answer<ValidateJWTSVIDResponse>> {
  if (request.audience === '') return refuse(status.INVALID_ARGUMENT, 'audience must be specified');
  if (request.svid === '') return refuse(status.INVALID_ARGUMENT, 'svid must be specified');
  const state = identity.state();
  if (state.kind === 'denied') return refuse(status.PERMISSION_DENIED, `no identity issued: ${state.reason}`);
  const found = await jwtBundles.validate(request.svid, request.audience);
  if (!found.ok) return refuse('passing' in found ? status.UNAVAILABLE : status.INVALID_ARGUMENT, found.reason);
  return create(ValidateJWTSVIDResponseSchema, { spiffeId: found.id, claims: found.claims });
}
