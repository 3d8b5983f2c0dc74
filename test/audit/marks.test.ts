import assert from 'node:assert/strict';
import type { JsonObject } from '@bufbuild/protobuf';
import { ResponseFlags_Unauthorized_Reason } from '#gen/envoy/data/accesslog/v3/accesslog_pb.js';
import { decodeHttp, decodeTcp } from '../../audit/intake/decode.ts';
import { edgeKeyOf, keyText, keyValues } from '../../audit/model/edge.ts';
import { marksOfText, marksText } from '../../audit/model/mark.ts';
import type { AccessRecord } from '../../audit/model/record.ts';
import { notesOf, reasonOf, wouldBeDenied } from '../../audit/report/reason.ts';
import { http, tcp } from './entries.ts';
import { directory, NOW, reporter } from './world.ts';

const NO_ALLOW = { ...directory, allowPoliciesOf: () => [] };

interface Told {
  readonly details?: string;
  readonly rbac?: JsonObject;
  readonly allowed?: boolean;
}

function httpRecord({ details = 'via_upstream', rbac = {}, allowed = true }: Told): AccessRecord {
  const metadata = { filterMetadata: { 'envoy.filters.http.rbac': rbac } };
  const entry = http({ details, code: allowed ? 200 : 403, common: { metadata } });
  const [record] = decodeHttp(entry, reporter('inbound'), NO_ALLOW, NOW);
  assert.ok(record !== undefined);
  return record;
}

function said(record: AccessRecord): readonly string[] {
  const key = edgeKeyOf(record);
  return [key.decision, reasonOf(key), ...notesOf(key)];
}

const ASKED_WEB: JsonObject = {
  istio_ext_authz_web_shadow_engine_result: 'denied',
  istio_ext_authz_web_shadow_effective_policy_id: 'istio-ext-authz-web-ns[shop]-policy[ask]-rule[1]',
};
const ASKED_BOTH: JsonObject = {
  ...ASKED_WEB,
  'istio_ext_authz_o-p-a_shadow_effective_policy_id': 'istio-ext-authz-o-p-a-ns[shop]-policy[opa]-rule[0]',
};

describe('audit: what policies note', () => {
  it('which CUSTOM rules asked which providers, of a call that they let through', () => {
    assert.deepEqual(said(httpRecord({ rbac: ASKED_BOTH })), [
      'ALLOW',
      'no ALLOW policy applies',
      'provider web asked by rule 1 of shop/ask',
      'provider o-p-a asked by rule 0 of shop/opa',
    ]);
  });

  it('who denied: the last of those that were asked', () => {
    const record = httpRecord({ details: 'ext_authz_denied', rbac: ASKED_BOTH, allowed: false });
    assert.deepEqual(said(record), [
      'DENY',
      'provider web denied it, asked by rule 1 of shop/ask',
      'provider o-p-a asked by rule 0 of shop/opa',
    ]);
    const { policy, rule, verdict } = edgeKeyOf(record);
    assert.deepEqual([policy, rule, verdict], ['shop/ask', 1, 'denied-custom']);
  });

  it('that a provider could not be asked', () => {
    const record = httpRecord({ details: 'ext_authz_error', rbac: ASKED_WEB, allowed: false });
    assert.equal(said(record)[1], 'provider web could not be asked, asked by rule 1 of shop/ask');
  });

  it('that there is nobody to ask', () => {
    const name = 'istio-ext-authz-gone-ns[shop]-policy[ask]-rule[2]-deny-due-to-bad-CUSTOM-action';
    const record = httpRecord({ details: `rbac_access_denied_matched_policy[${name}]`, allowed: false });
    assert.equal(said(record)[1], 'there is no provider gone to ask, asked by rule 2 of shop/ask');
  });

  it('of a connection that a provider stopped', () => {
    const metadata = { filterMetadata: { 'envoy.filters.network.rbac': ASKED_WEB } };
    const entry = tcp({
      metadata,
      responseFlags: { unauthorizedDetails: { reason: ResponseFlags_Unauthorized_Reason.EXTERNAL_SERVICE } },
    });
    const [record] = decodeTcp(entry, reporter('inbound'), NO_ALLOW, NOW);
    assert.ok(record !== undefined);
    assert.deepEqual(said(record).slice(0, 2), [
      'DENY',
      'provider web denied it or could not be asked, asked by rule 1 of shop/ask',
    ]);
  });

  it('which AUDIT rule matched, on HTTP and on TCP', () => {
    const name = 'ns[shop]-policy[watch]-rule[3]';
    const record = httpRecord({ rbac: { gatehouse_audit_enforced_effective_policy_id: name } });
    assert.deepEqual(said(record).slice(2), ['audited by rule 3 of shop/watch']);
    const shadow = { filterMetadata: { 'envoy.filters.network.rbac': { gatehouse_audit_shadow_effective_policy_id: name } } };
    const [connection] = decodeTcp(tcp({ metadata: shadow }), reporter('inbound'), NO_ALLOW, NOW);
    assert.ok(connection !== undefined);
    assert.deepEqual(said(connection).slice(2), ['audited by rule 3 of shop/watch']);
  });

  const trial = 'ns[shop]-policy[trial]-rule[0]';
  const denies: JsonObject = {
    istio_dry_run_deny_shadow_engine_result: 'denied',
    istio_dry_run_deny_shadow_effective_policy_id: trial,
  };

  it('which dry run would have denied a call that went through', () => {
    const record = httpRecord({ rbac: denies });
    assert.deepEqual(said(record).slice(2), ['dry run: rule 0 of shop/trial would deny it']);
    assert.ok(wouldBeDenied(edgeKeyOf(record)));
  });

  it('nothing of a dry run about a call that is denied anyway', () => {
    const record = httpRecord({
      rbac: denies,
      details: 'rbac_access_denied_matched_policy[ns[a]-policy[b]-rule[0]]',
      allowed: false,
    });
    assert.deepEqual(said(record).slice(2), []);
    assert.ok(!wouldBeDenied(edgeKeyOf(record)));
  });

  it('that no dry run of ALLOW would have allowed it, only where no ALLOW policy is in force', () => {
    const rbac: JsonObject = { istio_dry_run_allow_shadow_engine_result: 'denied' };
    assert.deepEqual(said(httpRecord({ rbac })).slice(2), ['dry run: no rule of an ALLOW policy would allow it']);
    const allowed = httpRecord({ rbac: { ...rbac, enforced_effective_policy_id: 'ns[shop]-policy[yes]-rule[0]' } });
    assert.deepEqual(said(allowed).slice(2), []);
  });

  it('that a dry run of ALLOW would have allowed what no rule allowed', () => {
    const rbac: JsonObject = {
      istio_dry_run_allow_shadow_engine_result: 'allowed',
      istio_dry_run_allow_shadow_effective_policy_id: trial,
    };
    const record = httpRecord({ rbac, details: 'rbac_access_denied_matched_policy[none]', allowed: false });
    assert.deepEqual(said(record).slice(2), ['dry run: rule 0 of shop/trial would allow it']);
  });

  it('in one text for the same marks, that is read back', () => {
    const by = { policy: 'a/b', rule: 1 };
    const marks = [{ kind: 'audited', by }, { kind: 'asked', by, provider: 'x, "y"' }, { kind: 'would-deny-no-rule' }] as const;
    assert.equal(marksText(marks), marksText([...marks].reverse()));
    assert.equal(marksText(marksOfText(marksText(marks))), marksText(marks));
    assert.deepEqual(marksOfText('[["of-a-newer-version","a/b",0,""]]'), []);
  });

  it('without changing by what an edge without marks was known before', () => {
    const key = edgeKeyOf(httpRecord({}));
    assert.equal(keyText(key), JSON.stringify(keyValues(key).slice(0, -1)));
    assert.notEqual(keyText(key), keyText({ ...key, marks: '[["audited","a/b",0,""]]' }));
  });
});
