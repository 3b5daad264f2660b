"""Operations from data files: what is decided on given facts and notes, and what is noted for later operations."""

from __future__ import annotations

from tests.unit.generated import operation_tests

TestInstall = operation_tests("files.install")
TestDirectory = operation_tests("files.directory")
TestLink = operation_tests("files.link")
TestAbsent = operation_tests("files.absent")
TestServiceFollow = operation_tests("service.follow")
TestSupervisorProgram = operation_tests("supervisor.program")
TestSupervisorFollow = operation_tests("supervisor.follow")
TestAptPackages = operation_tests("apt.packages")
TestAptAbsent = operation_tests("apt.absent")
TestDownloadFile = operation_tests("download.file")
TestDownloadUnpacked = operation_tests("download.unpacked")
TestPythonEnvironment = operation_tests("python.environment")
TestPythonFormerAbsent = operation_tests("python.former_absent")
TestPythonMember = operation_tests("python.member")
TestCkanDatabase = operation_tests("ckan.database")
TestCkanSearchIndex = operation_tests("ckan.search_index")
TestNftablesTable = operation_tests("nftables.table")
TestUsersSystem = operation_tests("users.system")
