import type { ObservedCall } from '../../../policy/observed/call.ts';

/** A call of shop/web to shop/app that was let through, changed by what is given. */
export function observed(change: Partial<ObservedCall> = {}): ObservedCall {
  return {
    principal: 'spiffe://cluster.local/ns/shop/sa/web',
    address: undefined,
    caller: 'shop/web',
    destination: 'shop/app',
    service: 'app.shop.svc.cluster.local',
    port: 8080,
    protocol: 'HTTP',
    method: 'GET',
    path: '/users/{id}',
    mtls: true,
    decision: 'ALLOW',
    denied: undefined,
    wouldDeny: [],
    count: 10,
    firstSeen: Date.parse('2026-03-01T10:00:00Z'),
    lastSeen: Date.parse('2026-03-01T12:00:00Z'),
    days: undefined,
    ...change,
  };
}

export function plainText(change: Partial<ObservedCall> = {}): ObservedCall {
  return observed({ principal: undefined, caller: undefined, address: '10.9.9.9', mtls: false, ...change });
}
