import assert from 'node:assert/strict';
import { installObjects } from '../../../kubernetes/install/objects.ts';
import { DEFAULTS } from '../../../kubernetes/install/options.ts';
import { nameOf, RESOURCES } from '../../../kubernetes/source/resources.ts';
import { at } from '../api-server.ts';

const texts = (value: unknown): readonly string[] => (Array.isArray(value) ? value.map(String) : []);

describe('the rights of the installation', () => {
  const role = installObjects({ ...DEFAULTS, crds: 'none' }, []).find(({ kind }) => kind === 'ClusterRole');
  const rules = at(role, 'rules');
  const may = (group: string, resource: string, verb: string): boolean =>
    (Array.isArray(rules) ? rules : []).some(
      (rule) =>
        at(rule, 'resourceNames') === undefined &&
        texts(at(rule, 'apiGroups')).includes(group) &&
        texts(at(rule, 'resources')).includes(resource) &&
        texts(at(rule, 'verbs')).includes(verb),
    );

  it('are enough for everything that is watched, and for the status of what has one', () => {
    for (const resource of RESOURCES) {
      const { group, plural, custom } = resource;
      for (const verb of ['list', 'watch']) assert.ok(may(group, plural, verb), `${verb} ${nameOf(resource)}`);
      if (custom && plural !== 'referencegrants')
        assert.ok(may(group, `${plural}/status`, 'patch'), `status of ${nameOf(resource)}`);
    }
    for (const verb of ['list', 'watch'])
      assert.ok(may('apiextensions.k8s.io', 'customresourcedefinitions', verb), `${verb} definitions`);
    assert.ok(may('', 'events', 'create'));
  });
});
