/** A schema as a list of its fields; what is nested opens on demand. */
import { useState } from 'preact/hooks'
import { boundsOf, type Contract, resolved, type Schema, typeOf } from './contract.ts'
import { inline } from './prose.tsx'

export function SchemaFields({ contract, schema }: { contract: Contract; schema: Schema }) {
  const { properties, oneOf, items, required = [], description } = resolved(contract, schema)
  if (oneOf) {
    return (
      <ul class="fields">
        {oneOf.map((one) => (
          <Field
            key={typeOf(contract, one)}
            contract={contract}
            schema={one}
            name={resolved(contract, one).title ?? typeOf(contract, one)}
            isAlternative
          />
        ))}
      </ul>
    )
  }
  if (items) return <SchemaFields contract={contract} schema={items} />
  if (!properties) return null
  return (
    <>
      {description && <p class="small muted">{inline(description)}</p>}
      <ul class="fields">
        {Object.entries(properties).map(([name, property]) => (
          <Field key={name} contract={contract} schema={property} name={name} isRequired={required.includes(name)} />
        ))}
      </ul>
    </>
  )
}

interface FieldProps {
  contract: Contract
  schema: Schema
  name: string
  isRequired?: boolean
  /** One of several that are possible: then the name is its type. */
  isAlternative?: boolean
}

export function Field({ contract, schema, name, isRequired = false, isAlternative = false }: FieldProps) {
  const whole = resolved(contract, schema)
  const inner = whole.items ? resolved(contract, whole.items) : whole
  const isNested =
    inner.properties !== undefined || inner.oneOf?.some((one) => resolved(contract, one).properties) === true
  const bounds = boundsOf(whole)
  return (
    <li>
      <div class="field-head">
        <code class="field-name">{name}</code>
        {!isAlternative && <span class="type">{typeOf(contract, schema)}</span>}
        {isRequired && <span class="needed">required</span>}
        {bounds.length > 0 && <span class="small muted">{bounds.join(', ')}</span>}
      </div>
      {whole.description && <p class="small muted">{inline(whole.description)}</p>}
      {isNested && <Nested contract={contract} schema={schema} name={name} />}
    </li>
  )
}

/** Built only when opened: schemas may refer to one another in a circle. */
function Nested({ contract, schema, name }: Pick<FieldProps, 'contract' | 'schema' | 'name'>) {
  const [isOpen, setOpen] = useState(false)
  return (
    <details open={isOpen} onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary aria-label={`Fields of ${name}`}>fields</summary>
      {isOpen && <SchemaFields contract={contract} schema={schema} />}
    </details>
  )
}
