"""What pyproject.toml can't say: templates/ stands at the top of the checkout, and is installed inside the console."""

from setuptools import find_packages, setup

setup(
    packages=[*find_packages(include=["console*", "migration_app*"]), "console.templates"],
    package_dir={"console.templates": "templates"},
    package_data={
        "console.templates": ["**/*"],
        "console": ["sample/*"],
        "migration_app": ["static/**/*", "**/*.sql"],
    },
)
