"""The settings of the cluster: a module for each driver, with their class and how they are read and checked.

Beside `config` and not in `infra.cluster`, whose modules are made from these settings and import `config`.
"""

from infra.cluster_settings.eks import EksSettings
from infra.cluster_settings.existing import ExistingSettings
from infra.cluster_settings.kops import KopsSettings

ClusterSettings = EksSettings | ExistingSettings | KopsSettings
