/* Whose endpoint it is: owner, department, asset number, group; edited in place. */
import { useState, type FormEvent } from 'react';
import { useEditEndpoint } from '../../api/queries';
import type { Endpoint } from '../../api/types';
import { useTexts, type TextKey } from '../../i18n';
import { useSession } from '../../shell/session';
import { Card, Field } from '../../ui/parts';
import { FormError } from '../../ui/states';

type Editable = Pick<Endpoint, 'owner' | 'department' | 'asset_no' | 'group'>;
const fields: [keyof Editable, TextKey, number][] = [
  ['owner', 'endpoints.owner', 200],
  ['department', 'endpoints.department', 200],
  ['asset_no', 'endpoints.asset', 200],
  ['group', 'endpoints.group', 64],
];

/* Only what the person changed, so that two people do not overwrite each other. */
export function changes(before: Editable, after: Editable): Partial<Editable> {
  return Object.fromEntries(fields.filter(([k]) => before[k] !== after[k]).map(([k]) => [k, after[k].trim()]));
}

export function Ownership({ e }: { e: Endpoint }) {
  const { t } = useTexts();
  const { may } = useSession();
  const edit = useEditEndpoint(e.id);
  const [draft, setDraft] = useState<Editable | null>(null);
  const shown: Editable = draft ?? e;
  const changed = draft ? changes(e, draft) : {};
  const submit = (ev: FormEvent) => {
    ev.preventDefault();
    edit.mutate(changed, { onSuccess: () => setDraft(null) });
  };
  return (
    <Card title={t('endpoint.ownership')}>
      <form className="stack-tight" onSubmit={submit}>
        <p className="small muted">{t('endpoint.ownershipHint')}</p>
        <div className="form-grid">
          {fields.map(([key, label, max]) => (
            <Field key={key} label={t(label)}>
              {(p) => <input {...p} name={key} maxLength={max} required={key === 'group'} disabled={!may('manage')} value={shown[key]} onChange={(ev) => setDraft({ ...shown, [key]: ev.target.value })} />}
            </Field>
          ))}
        </div>
        <FormError error={edit.error} />
        <div className="row">
          <button type="submit" className="btn" disabled={edit.isPending || Object.keys(changed).length === 0}>
            {edit.isPending ? t('common.saving') : t('common.save')}
          </button>
          <span className="small muted" role="status">
            {edit.isSuccess && !draft ? t('common.saved') : ''}
          </span>
        </div>
      </form>
    </Card>
  );
}
