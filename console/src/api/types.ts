/* Short names for the shapes of src/server/api/openapi.yaml. schema.d.ts is made from that file by
 * `npm run types`, so a change of the contract that a page does not follow fails the type check. */
import type { components } from './schema';

type S = components['schemas'];

export type Session = S['Session'];
export type Permission = S['Permission'];
export type Overview = S['Overview'];
export type Severity = S['Severity'];
export type Probe = S['Probe'];
export type Endpoint = S['Endpoint'];
export type EndpointState = S['EndpointState'];
export type Isolation = Endpoint['isolation'];
export type EventJson = S['Event'];
export type EventClass = S['EventClass'];
export type Completeness = S['Completeness'];
export type Alert = S['Alert'];
export type Content = S['Content'];
export type ContentVersion = S['ContentVersion'];
export type ContentSource = S['ContentSource'];
export type Exception = S['Exception'];
export type ExceptionRequest = S['ExceptionRequest'];
export type ExceptionPreview = S['ExceptionPreview'];
export type Story = S['Story'];
export type StoryDetail = S['StoryDetail'];
export type AlertState = S['AlertState'];
export type AlertDetail = S['AlertDetail'];
export type HistoryItem = S['AlertHistory'];
export type Tree = S['Tree'];
export type TreeNode = S['TreeNode'];
export type Connection = S['TreeConnection'];
export type Timeline = S['Timeline'];
export type Order = S['Order'];
export type OrderDetail = S['OrderDetail'];
export type OrderRequest = S['OrderRequest'];
export type OrderKind = S['OrderKind'];
export type OrderState = S['OrderState'];
export type EnrollmentToken = S['EnrollmentToken'];
export type EnrollmentTokenCreated = S['EnrollmentTokenCreated'];
export type Rule = S['Rule'];
export type AuditEntry = S['AuditEntry'];

export const severities: Severity[] = ['critical', 'high', 'medium', 'low', 'informational'];
export const eventClasses: EventClass[] = ['process', 'file', 'network', 'dns', 'auth', 'privilege', 'module', 'script', 'memory', 'persistence', 'device', 'registry', 'service', 'loss', 'agent', 'finding', 'foreign'];
export const alertStates: AlertState[] = ['NEW', 'TRIAGE', 'CONFIRMED', 'NOTIFIED', 'CONTAINED', 'INVESTIGATING', 'ERADICATED', 'RECOVERED', 'FIX_PENDING', 'VERIFIED', 'WATCH', 'FALSE_POSITIVE', 'BENIGN', 'DUPLICATE', 'CLOSED'];
