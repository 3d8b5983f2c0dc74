import { isIP } from 'node:net';
import { withoutScheme } from '../../ca/identity/spiffe-id.ts';
import type { MeshConfig } from '../../mesh/model/mesh-config.ts';
import type { ObservedCall } from '../observed/call.ts';

/** Who called, as a policy can say it. */
export type Caller =
  | {
      readonly kind: 'principal';
      /** As a policy has it. */
      readonly value: string;
      /** What the value takes in beside the caller, in words. */
      readonly generalised: string | undefined;
    }
  | { readonly kind: 'address'; readonly value: string }
  /** No policy can name it. */
  | { readonly kind: 'nobody'; readonly value: string; readonly why: string };

/** In a policy it stands for the mesh's own trust domain, whatever that is called. */
const LOCAL = 'cluster.local';
const ID = /^[a-z0-9._-]+\/[A-Za-z0-9._/-]+$/;

/** An identity of the mesh has the mesh's first name: policies mean it under all of them. */
function principal(id: string, { trustDomain, trustDomainAliases }: MeshConfig): Caller {
  if (!ID.test(id)) return { kind: 'nobody', value: id, why: 'its SPIFFE ID is none that a policy can name' };
  const slash = id.indexOf('/');
  const [domain, rest] = [id.slice(0, slash), id.slice(slash)];
  if (domain === trustDomain || trustDomainAliases.includes(domain)) {
    const names = trustDomainAliases.length === 0 ? undefined : [trustDomain, ...trustDomainAliases].join(', ');
    const generalised =
      names === undefined ? undefined : `principals of ${trustDomain} are meant under each name of the mesh (${names})`;
    return { kind: 'principal', value: `${trustDomain}${rest}`, generalised };
  }
  if (domain !== LOCAL) return { kind: 'principal', value: id, generalised: undefined };
  return {
    kind: 'principal',
    value: `*${id}`,
    generalised: `*${id}: a policy cannot name the foreign trust domain ${LOCAL} alone`,
  };
}

export function callerOf(call: ObservedCall, meshConfig: MeshConfig): Caller {
  if (call.principal !== undefined) return principal(withoutScheme(call.principal), meshConfig);
  if (call.mtls)
    return {
      kind: 'nobody',
      value: call.address ?? 'unknown',
      why: 'its certificate does not name exactly one SPIFFE ID, and such callers get through no ALLOW rule',
    };
  const { address } = call;
  if (address === undefined || isIP(address) === 0)
    return { kind: 'nobody', value: address ?? 'unknown', why: 'plain text from an address that is not known' };
  return { kind: 'address', value: address };
}
