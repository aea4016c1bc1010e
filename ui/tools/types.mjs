// Writes src/schema.d.ts from openapi.json. Not committed: the contract is, and this follows it.
import { readFileSync, writeFileSync } from 'node:fs';
import openapiTS, { astToString } from 'openapi-typescript';

const contract = JSON.parse(readFileSync('openapi.json', 'utf8'));
for (const calls of Object.values(contract.paths)) {
  // Names of calls are not unique across the contract; without them each call is described in its place.
  for (const call of Object.values(calls)) delete call.operationId;
}
writeFileSync('src/schema.d.ts', astToString(await openapiTS(contract)));
