"""Where the R4B models (4.3.0) differ from R4, found by comparing them with the 4.0.1 definitions.

Only what a payload can tell apart is listed; titles and summary flags differ too.
"""

#: Resource types that R4B added, and two (Evidence, EvidenceVariable) that it rebuilt so far that
#: its models say nothing about R4's.
NOT_R4 = frozenset(
    {
        "AdministrableProductDefinition", "Citation", "ClinicalUseDefinition", "Evidence",
        "EvidenceReport", "EvidenceVariable", "Ingredient", "ManufacturedItemDefinition",
        "MedicinalProductDefinition", "NutritionProduct", "PackagedProductDefinition",
        "RegulatedAuthorization", "SubscriptionStatus", "SubscriptionTopic", "SubstanceDefinition",
    }
)  # fmt: skip

#: R4 resource types without a model: known, but not to be checked, so not taken.
NOT_MODELLED = frozenset(
    {
        "EffectEvidenceSynthesis", "Evidence", "EvidenceVariable", "MedicinalProduct",
        "MedicinalProductAuthorization", "MedicinalProductContraindication",
        "MedicinalProductIndication", "MedicinalProductIngredient", "MedicinalProductInteraction",
        "MedicinalProductManufactured", "MedicinalProductPackaged",
        "MedicinalProductPharmaceutical", "MedicinalProductUndesirableEffect",
        "RiskEvidenceSynthesis", "SubstanceNucleicAcid", "SubstancePolymer", "SubstanceProtein",
        "SubstanceReferenceInformation", "SubstanceSourceMaterial", "SubstanceSpecification",
    }
)  # fmt: skip

#: Elements that R4B added.
DROPPED: dict[str, frozenset[str]] = {
    "ActivityDefinition": frozenset({"subjectCanonical"}),
    "ElementDefinition": frozenset(
        {
            "defaultValueCodeableReference", "defaultValueRatioRange", "fixedCodeableReference",
            "fixedRatioRange", "patternCodeableReference", "patternRatioRange",
        }
    ),
    "ElementDefinitionExample": frozenset({"valueCodeableReference", "valueRatioRange"}),
    "Extension": frozenset({"valueCodeableReference", "valueRatioRange"}),
    "PlanDefinition": frozenset({"subjectCanonical"}),
    "PlanDefinitionAction": frozenset({"subjectCanonical"}),
}  # fmt: skip

#: Choices that R4 has and the models lack: owner → (JSON name, choice, module of the type's model).
ADDED: dict[str, tuple[tuple[str, str, str], ...]] = {
    "ElementDefinition": tuple(
        (f"{choice}Meta", choice, "meta.Meta") for choice in ("defaultValue", "fixed", "pattern")
    ),
    "ElementDefinitionExample": (("valueMeta", "value", "meta.Meta"),),
    "Extension": (("valueMeta", "value", "meta.Meta"),),
}

_SUBJECTS = frozenset({"Patient", "Group", "Device", "Location"})

#: Reference targets as R4 has them, where R4B widened them.
TARGETS: dict[str, frozenset[str]] = {
    "ActivityDefinition.productReference": frozenset({"Medication", "Substance"}),
    "DiagnosticReport.subject": _SUBJECTS,
    "GroupMember.entity": _SUBJECTS - {"Location"}
    | {"Practitioner", "PractitionerRole", "Medication", "Substance"},
    "Observation.subject": _SUBJECTS,
}
