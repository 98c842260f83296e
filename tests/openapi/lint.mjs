// What @readme/openapi-parser finds wrong with a document: errors and warnings, a line each.
import { compileErrors, validate } from "@readme/openapi-parser";

const found = await validate(process.argv[2]);
const warnings = (found.warnings ?? []).map((each) => each.message);
if (!found.valid) warnings.push(compileErrors(found));
console.log(warnings.join("\n"));
process.exitCode = warnings.length ? 1 : 0;
